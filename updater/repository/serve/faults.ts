/** What a test server does wrong, on purpose. */
import { setTimeout as wait } from 'node:timers/promises';

export interface Faults {
  /** Answers with this and nothing else. */
  readonly status?: number;
  /** Answers every range with the whole. */
  readonly ranges?: 'ignore';
  /** Before the first byte of the body. */
  readonly delayMs?: number;
  readonly bytesPerSecond?: number;
  /** The connection ends after so many bytes of the body. */
  readonly cutAfterBytes?: number;
  /** The byte at this place of the file comes with one bit changed. */
  readonly flipByteAt?: number;
  /** After the file's own bytes, zeros without an end. */
  readonly endless?: true;
}

type Filter = (chunks: AsyncIterable<Buffer>) => AsyncGenerator<Buffer>;

/** `first` is the place in the file of the first byte that is sent. */
export function faulty(faults: Faults | undefined, first: number): Filter {
  return async function* (chunks) {
    if (faults?.delayMs !== undefined) await wait(faults.delayMs);
    let at = first;
    for await (const chunk of slow(chunks, faults?.bytesPerSecond)) {
      const flip = (faults?.flipByteAt ?? -1) - at;
      const bytes = Buffer.from(chunk);
      if (flip >= 0 && flip < bytes.length) bytes[flip] = (bytes[flip] ?? 0) ^ 1;
      const left = (faults?.cutAfterBytes ?? Infinity) - (at - first);
      at += bytes.length;
      if (bytes.length < left) {
        yield bytes;
        continue;
      }
      if (left > 0) yield bytes.subarray(0, left);
      // Let it reach the other side before the connection breaks.
      await wait(50);
      throw new Error('cut off, as asked');
    }
    while (faults?.endless === true) yield Buffer.alloc(65536);
  };
}

const SLICES_PER_SECOND = 20;

async function* slow(
  chunks: AsyncIterable<Buffer>,
  bytesPerSecond: number | undefined,
): AsyncGenerator<Buffer> {
  if (bytesPerSecond === undefined) {
    yield* chunks;
    return;
  }
  const slice = Math.max(1, Math.floor(bytesPerSecond / SLICES_PER_SECOND));
  for await (const chunk of chunks) {
    for (let offset = 0; offset < chunk.length; offset += slice) {
      yield chunk.subarray(offset, offset + slice);
      await wait(1000 / SLICES_PER_SECOND);
    }
  }
}
