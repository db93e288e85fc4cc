/**
 * Patches: bsdiff's idea (Colin Percival, "Naive differences of executable code") in a form that costs a slow interpreter only what changed. A patch is a
 * list of steps over a cursor in the old bytes; each
 *
 * 1. copies bytes of the old unchanged (in bulk),
 * 2. takes bytes of the old and adds differences to them, byte by byte, modulo 256,
 * 3. inserts new bytes (in bulk),
 * 4. moves the cursor.
 *
 * Their numbers stand column by column, since like numbers compress together, then the differences, then the new bytes.
 */
import { SlipwayError } from '../../spec/error.ts';
import { byteReader, writeNumber, writeSigned } from './bytes.ts';
import { LIMITS } from './limits.ts';

export interface PatchStep {
  readonly copyBytes: number;
  /** What is added to the old bytes after those copied. */
  readonly differences: Uint8Array;
  readonly inserted: Uint8Array;
  /** By how much the cursor moves afterwards. */
  readonly seek: number;
}

/** The `resultBytes` new bytes that `patch` makes of `source`. Throws `payload.patch` at anything that is not exactly right. */
export function applyPatch(patch: Uint8Array, source: Uint8Array, resultBytes: number): Uint8Array {
  if (resultBytes > LIMITS.resultBytes) throw fault(`it makes ${resultBytes} bytes`);
  const { columns, data } = readColumns(patch);
  const differencesBytes = columns.added.reduce((sum, value) => sum + value, 0);
  const differences = differencesOf(data.subarray(0, differencesBytes));
  const result = new Uint8Array(resultBytes);
  let [cursor, made, difference, insertion] = [0, 0, 0, differencesBytes];
  for (let step = 0; step < columns.copied.length; step += 1) {
    // One by one: to destructure an array costs a slow interpreter more than the rest of a step.
    const copied = columns.copied[step]!;
    const added = columns.added[step]!;
    const inserted = columns.inserted[step]!;
    const seek = columns.seeks[step]!;
    if (cursor + copied + added > source.length) throw fault('it reads behind the end of the old bytes');
    if (made + copied + added + inserted > resultBytes) throw fault('it makes too much');
    if (difference + added > data.length || insertion + inserted > data.length)
      throw fault('it is too short');
    if (copied + added > 0) result.set(source.subarray(cursor, cursor + copied + added), made);
    cursor += copied + added;
    made += copied + added;
    if (added > 0) addDifferences(result, made - added, differences, difference, added);
    difference += added;
    if (inserted > 0) result.set(data.subarray(insertion, insertion + inserted), made);
    made += inserted;
    insertion += inserted;
    cursor += (seek >>> 1) ^ -(seek & 1);
    if (cursor < 0 || cursor > source.length) throw fault('it leaves the old bytes');
  }
  if (made !== resultBytes) throw fault('it makes too little');
  if (insertion !== data.length) throw fault('it is too long');
  return result;
}

interface Differences {
  readonly bytes: Uint8Array;
  /** The same, four by four, but for the last ones. */
  readonly words: Int32Array;
}

/** Copied, so that they are aligned. */
function differencesOf(data: Uint8Array): Differences {
  const bytes = new Uint8Array(data);
  return { bytes, words: new Int32Array(bytes.buffer, 0, bytes.length >> 2) };
}

/** Most differences are zero, and most of these lie four and four: a slow interpreter passes over them as words. */
function addDifferences(
  result: Uint8Array,
  made: number,
  { bytes, words }: Differences,
  first: number,
  count: number,
): void {
  const shift = made - first;
  for (let at = first, end = first + count; at < end;)
    if ((at & 3) === 0 && words[at >> 2] === 0) at += 4;
    else {
      const difference = bytes[at]!;
      if (difference !== 0) result[at + shift]! += difference;
      at += 1;
    }
}

export function encodePatch(steps: readonly PatchStep[]): Uint8Array {
  const numbers: number[] = [];
  writeNumber(numbers, steps.length);
  for (const { copyBytes } of steps) writeNumber(numbers, copyBytes);
  for (const { differences } of steps) writeNumber(numbers, differences.length);
  for (const { inserted } of steps) writeNumber(numbers, inserted.length);
  for (const { seek } of steps) writeSigned(numbers, seek);
  const parts = [
    Uint8Array.from(numbers),
    ...steps.map((step) => step.differences),
    ...steps.map((step) => step.inserted),
  ];
  const patch = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    patch.set(part, offset);
    offset += part.length;
  }
  return patch;
}

interface Columns {
  readonly copied: Int32Array;
  readonly added: Int32Array;
  readonly inserted: Int32Array;
  /** Zigzag. */
  readonly seeks: Int32Array;
}

function readColumns(patch: Uint8Array): { readonly columns: Columns; readonly data: Uint8Array } {
  const reader = byteReader(patch, fault);
  const steps = reader.number('number of steps', LIMITS.steps);
  const column = (what: string): Int32Array => reader.numbers(steps, what, LIMITS.resultBytes);
  const columns = {
    copied: column('number of copied bytes'),
    added: column('number of differences'),
    inserted: column('number of inserted bytes'),
    seeks: reader.numbers(steps, 'seek', 2 * LIMITS.windowBytes),
  };
  return { columns, data: reader.bytes(patch.length - reader.position()) };
}

function fault(message: string): SlipwayError {
  return new SlipwayError('payload.patch', `a patch is refused: ${message}`);
}
