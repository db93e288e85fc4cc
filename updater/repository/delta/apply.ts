/** A payload applied on the workstation: to check it, or to get an image out of a repository. */
import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { publish, temporaryName } from '../../../builder/cache/directory.ts';
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { checkFrame } from '../../payload/frame.ts';
import { parseHeader } from '../../payload/header.ts';
import type { Operation, PatchOperation, PayloadHeader } from '../../payload/operation.ts';
import { applyPatch } from '../../payload/patch.ts';
import type { PayloadReference } from '../../release/document.ts';
import { withImage, type ImageFile } from './image-file.ts';
import { sha256 } from './write.ts';
import { decompress } from './zstd.ts';

export interface ApplyOptions {
  readonly payload: string;
  readonly reference: PayloadReference;
  /** The old image; a full payload needs none. */
  readonly old?: string;
  readonly toolbox: Pick<Toolbox, 'command'>;
}

/** Writes the new image. Throws `payload.verify`, `payload.header`, `payload.frame`, `payload.patch` for a payload that is not what `reference` says. */
export async function applyPayload(options: ApplyOptions & { readonly output: string }): Promise<void> {
  const temporary = temporaryName(options.output);
  try {
    const file = await open(temporary, 'wx');
    try {
      await withResults(options, async (results) => {
        for await (const bytes of results) await file.writeFile(bytes);
      });
      await file.sync();
    } finally {
      await file.close();
    }
    await publish(temporary, options.output);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Applies the payload and compares what it makes, byte for byte, with `expected`. Throws what `applyPayload` throws. */
export async function verifyPayload(options: ApplyOptions & { readonly expected: string }): Promise<void> {
  await withImage(options.expected, (expected) =>
    withResults(options, async (results, header) => {
      if (header.targetBytes !== expected.sizeBytes)
        throw fault(options, `it makes ${header.targetBytes} bytes of ${expected.sizeBytes}`);
      let offset = 0;
      for await (const bytes of results) {
        if (!bytes.equals(await expected.read({ offset, sizeBytes: bytes.length })))
          throw fault(options, `what it makes differs at ${offset} to ${offset + bytes.length}`);
        offset += bytes.length;
      }
    }),
  );
}

async function withResults<T>(
  options: ApplyOptions,
  work: (results: AsyncGenerator<Buffer>, header: PayloadHeader) => Promise<T>,
): Promise<T> {
  return withImage(options.payload, async (payload) => {
    const header = await readHeader(payload, options);
    if (header.sourceBytes === 0 || options.old === undefined) {
      if (header.sourceBytes !== 0) throw fault(options, 'it needs an old image');
      return work(results(header, payload, undefined, options), header);
    }
    return withImage(options.old, async (old) => {
      if (old.sizeBytes !== header.sourceBytes)
        throw fault(options, `it is made for an old image of ${header.sourceBytes} bytes`);
      return work(results(header, payload, old, options), header);
    });
  });
}

async function readHeader(
  payload: ImageFile,
  { reference, ...options }: ApplyOptions,
): Promise<PayloadHeader> {
  if (payload.sizeBytes !== reference.sizeBytes) throw fault(options, `it has ${payload.sizeBytes} bytes`);
  const bytes = await payload.read({ offset: 0, sizeBytes: reference.headerBytes });
  if (sha256(bytes) !== reference.headerSha256) throw fault(options, 'its header has another digest');
  return parseHeader(bytes, { payloadBytes: reference.sizeBytes });
}

/** How much is held at once: some frames to one zstd, a part of a long copy. */
const BATCH_BYTES = 8 * 1024 * 1024;

async function* results(
  header: PayloadHeader,
  payload: ImageFile,
  old: ImageFile | undefined,
  options: ApplyOptions,
): AsyncGenerator<Buffer> {
  for (const batch of batches(header.operations)) {
    const contents = await readBlobs(batch, payload, options);
    for (const operation of batch) {
      const { offset, sizeBytes } = operation.target;
      if (operation.kind === 'full') yield contents.shift() ?? Buffer.alloc(0);
      else if (operation.kind === 'patch') yield await patched(operation, contents.shift(), old, options);
      else
        for (let done = 0; done < sizeBytes; done += BATCH_BYTES) {
          const length = Math.min(BATCH_BYTES, sizeBytes - done);
          if (operation.kind === 'zero') yield Buffer.alloc(length);
          else if (old !== undefined)
            yield await old.read({ offset: operation.sourceOffset + done, sizeBytes: length });
          else throw fault(options, `a copy at ${offset} without an old image`);
        }
    }
  }
}

async function patched(
  { extents, target, resultSha256 }: PatchOperation,
  patch: Buffer | undefined,
  old: ImageFile | undefined,
  options: ApplyOptions,
): Promise<Buffer> {
  if (patch === undefined || old === undefined)
    throw fault(options, `a patch at ${target.offset} without an old image`);
  const window = Buffer.concat(await Promise.all(extents.map((extent) => old.read(extent))));
  const bytes = Buffer.from(applyPatch(patch, window, target.sizeBytes).buffer);
  if (sha256(bytes) !== resultSha256)
    throw fault(options, `the patch at ${target.offset} makes something else`);
  return bytes;
}

/** Operations whose blobs together hold about BATCH_BYTES. */
function* batches(operations: readonly Operation[]): Generator<readonly Operation[]> {
  let batch: Operation[] = [];
  let bytes = 0;
  for (const operation of operations) {
    batch.push(operation);
    bytes += 'blob' in operation ? operation.blob.contentBytes : 0;
    if (bytes < BATCH_BYTES) continue;
    yield batch;
    [batch, bytes] = [[], 0];
  }
  yield batch;
}

async function readBlobs(
  batch: readonly Operation[],
  payload: ImageFile,
  options: ApplyOptions,
): Promise<Buffer[]> {
  const blobs = batch.flatMap((operation) => ('blob' in operation ? [operation.blob] : []));
  const [first, last] = [blobs[0], blobs.at(-1)];
  if (first === undefined || last === undefined) return [];
  const frames = await payload.read({
    offset: first.offset,
    sizeBytes: last.offset + last.storedBytes - first.offset,
  });
  for (const { offset, storedBytes, sha256: expected, contentBytes } of blobs) {
    const frame = frames.subarray(offset - first.offset, offset - first.offset + storedBytes);
    if (createHash('sha256').update(frame).digest('hex') !== expected)
      throw fault(options, `the blob at ${offset} has another digest`);
    checkFrame(frame, contentBytes);
  }
  const total = blobs.reduce((sum, { contentBytes }) => sum + contentBytes, 0);
  const contents = await decompress(frames, total, options.toolbox);
  let start = 0;
  return blobs.map(({ contentBytes }) => contents.subarray(start, (start += contentBytes)));
}

function fault({ payload }: Pick<ApplyOptions, 'payload'>, message: string): SlipwayError {
  return new SlipwayError('payload.verify', `${payload}: ${message}`);
}
