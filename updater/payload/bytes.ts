/** Numbers in bytes, without Node's Buffer: LEB128 of up to 2^53, digests as hexadecimal text. */

/** Reads on from `position`; past the end, or at a number that is not written in its shortest form, it throws what `fail` makes. */
export interface ByteReader {
  readonly position: () => number;
  readonly done: () => boolean;
  readonly byte: () => number;
  readonly bytes: (count: number) => Uint8Array;
  /** Unsigned, at most `limit`. */
  readonly number: (what: string, limit: number) => number;
  /** As many of them, each at most `limit`, which fits 31 bits. */
  readonly numbers: (count: number, what: string, limit: number) => Int32Array;
  /** Signed (zigzag), its magnitude at most `limit`. */
  readonly signed: (what: string, limit: number) => number;
}

export function byteReader(input: Uint8Array, fail: (message: string) => Error): ByteReader {
  let position = 0;
  const byte = (): number => {
    const value = input[position];
    if (value === undefined) throw fail(`it ends at byte ${position}`);
    position += 1;
    return value;
  };
  const number = (what: string, limit: number): number => {
    let value = 0;
    // Multiplied, not shifted: shifts end at 32 bits.
    for (let weight = 1; ; weight *= 128) {
      if (weight > MAX_WEIGHT) throw fail(`${what} is too large`);
      const next = byte();
      value += (next & 0x7f) * weight;
      if (next < 0x80) {
        if (next === 0 && weight > 1) throw fail(`${what} is not in its shortest form`);
        break;
      }
    }
    if (value > limit) throw fail(`${what} is ${value}, more than ${limit}`);
    return value;
  };
  return {
    position: () => position,
    done: () => position === input.length,
    byte,
    bytes: (count) => {
      if (count > input.length - position) throw fail(`it ends at byte ${input.length}`);
      position += count;
      return input.subarray(position - count, position);
    },
    number,
    numbers: (count, what, limit) => {
      const values = new Int32Array(count);
      for (let index = 0; index < count; index += 1) {
        const first = input[position]!;
        // Nearly all of them: one byte, without a call.
        if (first < 0x80 && first <= limit) {
          values[index] = first;
          position += 1;
        } else values[index] = number(what, limit);
      }
      return values;
    },
    signed: (what, limit) => {
      const value = number(what, 2 * limit);
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    },
  };
}

/** 2^42: seven digits of 7 bits, so that every value stays exact. */
const MAX_WEIGHT = 2 ** 42;

/** Appends to `output`. */
export function writeNumber(output: number[], value: number): void {
  let left = value;
  for (; left >= 128; left = Math.floor(left / 128)) output.push((left % 128) + 128);
  output.push(left);
}

export function writeSigned(output: number[], value: number): void {
  writeNumber(output, value < 0 ? -2 * value - 1 : 2 * value);
}

export function hexOf(bytes: Uint8Array): string {
  // Joined, not added up: QuickJS keeps the parts of a sum of strings (a rope) alive.
  return Array.from(bytes, (byte) => HEX[byte]).join('');
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    parseInt(text.slice(2 * index, 2 * index + 2), 16),
  );
}
