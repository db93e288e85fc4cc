/** The operations of a payload, in order, in batches: fetch, check, make, write, remember. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { LIMITS } from '../../payload/limits.ts';
import type { Blob, Extent, Operation, PayloadHeader } from '../../payload/operation.ts';
import { applyPatch } from '../../payload/patch.ts';
import { openBlobs } from './blob-source.ts';
import { fetchBlobs, openContents, removeBlobs, type Contents } from './blobs.ts';
import { copyStretch, isLong } from './bulk.ts';
import type { ApplyContext, ApplyPhase } from './facts.ts';
import { syncNowAndThen, type Medium } from './medium.ts';

/** An operation, and how many operations of the payload are done once it is. */
export interface Task {
  readonly operation: Operation;
  readonly next: number;
}

export interface OperationsOptions {
  readonly context: ApplyContext;
  readonly phase: ApplyPhase;
  /** Name of the payload in the repository. */
  readonly name: string;
  /** In the order of their targets; made while they are done, since there may be many. */
  readonly tasks: Iterable<Task>;
  /** Of those operations that are to be done. */
  readonly blobs: readonly Blob[];
  readonly source: Medium | undefined;
  readonly target: Medium;
  readonly targetBytes: number;
  /** So many operations of the payload are done, and durable. */
  readonly done: (operations: number) => Promise<void>;
  /** All of the target before `end` is made and on the medium, where everything is made of these tasks. */
  readonly synced?: (end: number) => void;
}

/** In memory at once, as fetched. */
const BATCH_STORED_BYTES = 2 * 1024 * 1024;
const BATCH_OPERATIONS = 256;
const CHUNK_BYTES = 512 * 1024;
/** Copied by one program: between two of them one may interrupt. */
const PIECE_BYTES = 16 * 1024 * 1024;

/** Returns what could not be made because the old image cannot be read there. Throws what fetching and writing throw. */
export async function applyOperations(
  system: System,
  options: OperationsOptions,
): Promise<readonly Extent[]> {
  const bad: Extent[] = [];
  const source = openBlobs(options.context.fetcher, options.name, options.blobs);
  try {
    for (const batch of batchesOf(options.tasks)) {
      const blobs = batch.flatMap(({ operation }) => blobsOf(operation));
      while (blobs.length > 0 && !(await fetchBlobs(system, options.context.scratch, source, blobs)))
        await source.distrust();
      bad.push(...(await makeBatch(system, options, batch, blobs)));
      await options.target.sync();
      options.synced?.(endOf(batch.at(-1)?.operation.target));
      await options.done(batch.at(-1)?.next ?? 0);
    }
    return bad;
  } finally {
    await source.close();
  }
}

/** All operations of a payload from one on. */
export function* tasksFrom({ operations }: PayloadHeader, first: number): Generator<Task> {
  for (let index = first; index < operations.length; index += 1) {
    const operation = operations[index];
    if (operation !== undefined) yield { operation, next: index + 1 };
  }
}

export function blobsFrom({ operations }: PayloadHeader, first: number): readonly Blob[] {
  return operations.slice(first).flatMap(blobsOf);
}

function* batchesOf(tasks: Iterable<Task>): Generator<readonly Task[]> {
  let batch: Task[] = [];
  let stored = 0;
  for (const task of tasks) {
    const bytes = blobsOf(task.operation).reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    if (batch.length === BATCH_OPERATIONS || (batch.length > 0 && stored + bytes > BATCH_STORED_BYTES)) {
      yield batch;
      batch = [];
      stored = 0;
    }
    batch.push(task);
    stored += bytes;
  }
  if (batch.length > 0) yield batch;
}

export function blobsOf(operation: Operation): readonly Blob[] {
  return operation.kind === 'full' || operation.kind === 'patch' ? [operation.blob] : [];
}

async function makeBatch(
  system: System,
  options: OperationsOptions,
  batch: readonly Task[],
  blobs: readonly Blob[],
): Promise<readonly Extent[]> {
  const { context, target, source } = options;
  const contents = openContents(system, context.scratch, blobs);
  const written = syncNowAndThen(target, (end) => options.synced?.(end));
  const bad: Extent[] = [];
  for (const { operation } of batch) {
    bad.push(...(await makeOperation({ system, source, target, contents, written }, operation)));
    context.progress({
      phase: options.phase,
      doneBytes: endOf(operation.target),
      totalBytes: options.targetBytes,
      receivedBytes: context.fetcher.receivedBytes(),
    });
  }
  await contents.end();
  removeBlobs(system, context.scratch, blobs.length);
  return bad;
}

interface Workplace {
  readonly system: System;
  readonly source: Medium | undefined;
  readonly target: Medium;
  readonly contents: Contents;
  readonly written: (end: number, count: number) => Promise<void>;
}

/** What could not be made: the old image cannot be read there, or is not what it was. */
async function makeOperation(place: Workplace, operation: Operation): Promise<readonly Extent[]> {
  const { target } = operation;
  switch (operation.kind) {
    case 'zero':
      return inChunks(target, place, (_, count) => new Uint8Array(count));
    case 'copy':
      return copy(place, operation);
    case 'full':
      return inChunks(target, place, (_, count) => place.contents.read(count));
    case 'patch': {
      const patch = place.contents.read(operation.blob.contentBytes);
      const window = readWindow(place.source, operation.extents);
      if (window === undefined) return [target];
      // Of the right old bytes it makes exactly what it should: that it was refused says that they are not.
      const result = attempt(() => applyPatch(patch, window, target.sizeBytes));
      if (result === undefined) return [target];
      place.target.write(target.offset, result);
      await place.written(endOf(target), result.length);
      return [];
    }
  }
}

async function copy(
  place: Workplace,
  { sourceOffset, target }: Extract<Operation, { kind: 'copy' }>,
): Promise<readonly Extent[]> {
  const { system, source } = place;
  const bad: Extent[] = [];
  for (let done = 0; done < target.sizeBytes;) {
    const piece = { offset: target.offset + done, sizeBytes: Math.min(PIECE_BYTES, target.sizeBytes - done) };
    const stretch = { ...piece, sourceOffset: sourceOffset + done };
    done += piece.sizeBytes;
    if (source !== undefined && isLong(stretch) && (await copyStretch(system, source, place.target, stretch)))
      await place.written(endOf(piece), piece.sizeBytes);
    else
      bad.push(
        ...(await inChunks(piece, place, (offset, count) =>
          source?.read(stretch.sourceOffset + offset - piece.offset, count),
        )),
      );
  }
  return bad;
}

/** Chunk by chunk; those that cannot be made are told. */
async function inChunks(
  { offset, sizeBytes }: Extent,
  { target, written }: Workplace,
  make: (offset: number, count: number) => Uint8Array | undefined,
): Promise<readonly Extent[]> {
  const bad: Extent[] = [];
  for (let done = 0; done < sizeBytes;) {
    const count = Math.min(CHUNK_BYTES, sizeBytes - done);
    const bytes = make(offset + done, count);
    if (bytes === undefined) bad.push({ offset: offset + done, sizeBytes: count });
    else {
      target.write(offset + done, bytes);
      await written(offset + done + count, count);
    }
    done += count;
  }
  return bad;
}

function endOf(extent: Extent | undefined): number {
  return extent === undefined ? 0 : extent.offset + extent.sizeBytes;
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
