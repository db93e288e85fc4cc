/** The operations of a payload, in order, in batches: fetch, check, make, write, remember. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { LIMITS } from '../../payload/limits.ts';
import type { Blob, Extent, Operation, PayloadHeader } from '../../payload/operation.ts';
import { applyPatch } from '../../payload/patch.ts';
import type { ByteStream } from '../fetch/stream.ts';
import { fetchBlobs, openContents, removeBlobs, type Contents } from './blobs.ts';
import type { ApplyContext } from './facts.ts';
import { syncNowAndThen, type Medium } from './medium.ts';

export interface OperationsOptions {
  readonly context: ApplyContext;
  readonly header: PayloadHeader;
  /** Name of the payload in the repository. */
  readonly name: string;
  readonly source: Medium | undefined;
  readonly target: Medium;
  /** The first one to do. */
  readonly from: number;
  /** Everything before the operation `next` is done and durable. */
  readonly done: (next: number) => Promise<void>;
}

/** In memory at once, as fetched. */
const BATCH_STORED_BYTES = 2 * 1024 * 1024;
const BATCH_OPERATIONS = 256;
const CHUNK_BYTES = 512 * 1024;

/** Returns what could not be made because the old image cannot be read there. Throws what fetching and writing throw. */
export async function applyOperations(
  system: System,
  options: OperationsOptions,
): Promise<readonly Extent[]> {
  const { header, context, name, target } = options;
  const bad: Extent[] = [];
  let stream: ByteStream | undefined;
  try {
    for (let next = options.from; next < header.operations.length;) {
      const batch = batchFrom(header.operations, next);
      const blobs = batch.flatMap(blobsOf);
      const [first] = blobs;
      if (first !== undefined) {
        stream ??= context.fetcher.stream(name, first.offset, header.payloadBytes);
        if (!(await fetchBlobs(system, context.scratch, stream, blobs))) {
          // From another mirror, from the start of the batch.
          stream.distrust();
          await stream.close();
          stream = undefined;
          continue;
        }
      }
      bad.push(...(await makeBatch(system, options, batch, blobs)));
      next += batch.length;
      await target.sync();
      await options.done(next);
    }
    return bad;
  } finally {
    await stream?.close();
  }
}

function batchFrom(operations: readonly Operation[], first: number): readonly Operation[] {
  let stored = 0;
  let end = first;
  for (; end < operations.length && end - first < BATCH_OPERATIONS; end += 1) {
    const operation = operations[end];
    for (const blob of operation === undefined ? [] : blobsOf(operation)) stored += blob.storedBytes;
    if (stored > BATCH_STORED_BYTES && end > first) break;
  }
  return operations.slice(first, end);
}

function blobsOf(operation: Operation): readonly Blob[] {
  return operation.kind === 'full' || operation.kind === 'patch' ? [operation.blob] : [];
}

async function makeBatch(
  system: System,
  options: OperationsOptions,
  batch: readonly Operation[],
  blobs: readonly Blob[],
): Promise<readonly Extent[]> {
  const { context, target, source, header } = options;
  const contents = openContents(system, context.scratch, blobs);
  const written = syncNowAndThen(target);
  const bad: Extent[] = [];
  for (const operation of batch) {
    if (!(await makeOperation({ source, target, contents, written }, operation))) bad.push(operation.target);
    context.progress({
      phase: 'download',
      doneBytes: operation.target.offset + operation.target.sizeBytes,
      totalBytes: header.targetBytes,
      receivedBytes: context.fetcher.receivedBytes(),
    });
  }
  await contents.end();
  removeBlobs(system, context.scratch, blobs.length);
  return bad;
}

interface Workplace {
  readonly source: Medium | undefined;
  readonly target: Medium;
  readonly contents: Contents;
  readonly written: (count: number) => Promise<void>;
}

/** False when the old image cannot be read, or is not what it was. */
async function makeOperation(place: Workplace, operation: Operation): Promise<boolean> {
  switch (operation.kind) {
    case 'zero':
      return inChunks(operation.target, place, (_, count) => new Uint8Array(count));
    case 'copy': {
      const { sourceOffset, target } = operation;
      return inChunks(target, place, (offset, count) =>
        place.source?.read(sourceOffset + offset - target.offset, count),
      );
    }
    case 'full':
      return inChunks(operation.target, place, (_, count) => place.contents.read(count));
    case 'patch': {
      const patch = place.contents.read(operation.blob.contentBytes);
      const window = readWindow(place.source, operation.extents);
      if (window === undefined) return false;
      // Of the right old bytes it makes exactly what it should: that it was refused says that they are not.
      const result = attempt(() => applyPatch(patch, window, operation.target.sizeBytes));
      if (result === undefined) return false;
      place.target.write(operation.target.offset, result);
      await place.written(result.length);
      return true;
    }
  }
}

async function inChunks(
  { offset, sizeBytes }: Extent,
  { target, written }: Workplace,
  make: (offset: number, count: number) => Uint8Array | undefined,
): Promise<boolean> {
  for (let done = 0; done < sizeBytes;) {
    const count = Math.min(CHUNK_BYTES, sizeBytes - done);
    const bytes = make(offset + done, count);
    if (bytes === undefined) return false;
    target.write(offset + done, bytes);
    done += count;
    await written(count);
  }
  return true;
}

function readWindow(source: Medium | undefined, extents: readonly Extent[]): Uint8Array | undefined {
  const size = extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (size > LIMITS.windowBytes) return undefined;
  const window = new Uint8Array(size);
  let filled = 0;
  for (const { offset, sizeBytes } of extents) {
    const bytes = source?.read(offset, sizeBytes);
    if (bytes === undefined) return undefined;
    window.set(bytes, filled);
    filled += sizeBytes;
  }
  return window;
}

function attempt(make: () => Uint8Array): Uint8Array | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof SlipwayError && error.code === 'payload.patch') return undefined;
    throw error;
  }
}
