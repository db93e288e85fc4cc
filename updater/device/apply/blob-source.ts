/** The blobs of a payload that are wanted, in order, in few requests: what lies close together is fetched in one. */
import { SlipwayError } from '../../../spec/error.ts';
import type { Blob } from '../../payload/operation.ts';
import type { Fetcher } from '../fetch/fetcher.ts';
import type { ByteStream } from '../fetch/stream.ts';

export interface BlobSource {
  /** Passes on the bytes of a blob as they come. Each blob comes behind the one before, unless `distrust` was called. */
  readonly read: (blob: Blob, take: (bytes: Uint8Array) => void) => Promise<void>;
  /** What came was not what the release says: the next ones come from another mirror. */
  readonly distrust: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A request costs a round trip or two: as long as so many bytes take on a fair link. */
const GAP_BYTES = 64 * 1024;
const READ_BYTES = 65_536;

/** `blobs` of the payload `name`, by their offsets. */
export function openBlobs(fetcher: Fetcher, name: string, blobs: readonly Blob[]): BlobSource {
  const ends = rangeEnds(blobs);
  let stream: ByteStream | undefined;
  let position = 0;
  let end = 0;
  const close = async (): Promise<void> => {
    const closing = stream;
    stream = undefined;
    await closing?.close();
  };
  const pass = async (from: ByteStream, count: number, take: (bytes: Uint8Array) => void): Promise<void> => {
    for (let left = count; left > 0;) {
      const bytes = await from.read(Math.min(READ_BYTES, left));
      if (bytes.length === 0) throw new SlipwayError('fetch.failed', 'the stream ended early');
      left -= bytes.length;
      position += bytes.length;
      take(bytes);
    }
  };
  return {
    close,
    distrust: async () => {
      stream?.distrust();
      await close();
    },
    read: async (blob, take) => {
      if (blob.offset < position || blob.offset >= end) await close();
      if (stream === undefined) {
        position = blob.offset;
        end = ends.find((each) => each > blob.offset) ?? blob.offset + blob.storedBytes;
        stream = fetcher.stream(name, position, end);
      }
      await pass(stream, blob.offset - position, () => undefined);
      await pass(stream, blob.storedBytes, take);
    },
  };
}

/** How many bytes are fetched for these blobs. */
export function fetchedBytes(blobs: readonly Blob[]): number {
  let total = 0;
  let last: number | undefined;
  for (const { offset, storedBytes } of blobs) {
    total += storedBytes + (last !== undefined && offset - last <= GAP_BYTES ? offset - last : 0);
    last = offset + storedBytes;
  }
  return total;
}

/** Where each request ends. */
function rangeEnds(blobs: readonly Blob[]): readonly number[] {
  const ends: number[] = [];
  let last: number | undefined;
  for (const { offset, storedBytes } of blobs) {
    if (last !== undefined && offset - last > GAP_BYTES) ends.push(last);
    last = offset + storedBytes;
  }
  return last === undefined ? [] : [...ends, last];
}
