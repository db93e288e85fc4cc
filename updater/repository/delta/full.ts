/** An image -> the payload that makes it of nothing; a machine that has some of its blocks fetches only the frames that hold the others. */
import { availableParallelism } from 'node:os';
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
import { LIMITS } from '../../payload/limits.ts';
import type { Extent } from '../../payload/operation.ts';
import type { PayloadReference } from '../../release/document.ts';
import { withImage, type ImageFile } from './image-file.ts';
import { inTurn } from './in-turn.ts';
import { sha256, writePayload, type MadeOperation } from './write.ts';
import { compress } from './zstd.ts';

export interface FullOptions {
  /** The image's path. */
  readonly new: string;
  readonly output: string;
  readonly toolbox: Pick<Toolbox, 'command'>;
  /** As for its deltas. */
  readonly blockBytes: 512 | 4096;
  /** zstd's; 19 unless told. Laboratories that publish every minute take less. */
  readonly level?: number;
  /** Between 0 and 1. */
  readonly progress?: (done: number) => void;
}

/**
 * What one frame holds. Smaller ones serve a machine that lacks few blocks, larger ones compress better. Measured on the reference image and its security
 * round: 64, 128, 256, 512 KiB make a full payload of 106, 103, 100, 98 %, of which the round touches 27, 33, 42, 55 MB (before compression).
 */
const FRAME_BYTES = 128 * 1024;

/** Larger where an image would have more frames than a payload may have operations; as large as may be for a UKI, which has no block list. */
function frameBytes(imageBytes: number, blockBytes: number): number {
  let size = blockBytes === 4096 ? FRAME_BYTES : LIMITS.resultBytes;
  while (imageBytes / size > LIMITS.operations && size < LIMITS.resultBytes) size *= 2;
  return size;
}

/** What one zstd compresses, frame after frame. */
const BATCH_BYTES = 8 * 1024 * 1024;

/** Writes the payload, the same bytes for the same image and tools. */
export async function makeFull(options: FullOptions): Promise<PayloadReference> {
  const { blockBytes } = options;
  return withImage(options.new, async (image) => {
    const batches = batchesOf(image, blockBytes);
    const frameCount = batches.reduce((sum, frames) => sum + frames.length, 0);
    let done = 0;
    const operations = await inTurn(batches, availableParallelism(), async (frames) => {
      const made = await makeFrames(image, frames, options);
      options.progress?.((done += frames.length) / frameCount);
      return made;
    });
    const content = {
      blockBytes,
      targetBytes: image.sizeBytes,
      sourceBytes: 0,
      operations: operations.flat(),
    };
    return writePayload(content, options.output);
  });
}

function batchesOf({ sizeBytes }: ImageFile, blockBytes: number): readonly (readonly Extent[])[] {
  const size = frameBytes(sizeBytes, blockBytes);
  const frames = Array.from({ length: Math.ceil(sizeBytes / size) }, (_, index): Extent => {
    const offset = index * size;
    return { offset, sizeBytes: Math.min(size, sizeBytes - offset) };
  });
  const batch = Math.ceil(BATCH_BYTES / size);
  return Array.from({ length: Math.ceil(frames.length / batch) }, (_, index) =>
    frames.slice(index * batch, (index + 1) * batch),
  );
}

async function makeFrames(
  image: ImageFile,
  frames: readonly Extent[],
  { toolbox, level = 19 }: FullOptions,
): Promise<readonly MadeOperation[]> {
  const contents = await Promise.all(frames.map((frame) => image.read(frame)));
  const isZero = contents.map((content) => content.every((byte) => byte === 0));
  const filled = contents.filter((_, index) => isZero[index] === false);
  const blobs = filled.length === 0 ? [] : [...(await compress(filled, toolbox, level))];
  return frames.map((target, index): MadeOperation => {
    const blob = isZero[index] === true ? undefined : blobs.shift();
    if (blob === undefined) return { operation: { kind: 'zero', target } };
    const description = { storedBytes: blob.length, sha256: sha256(blob), contentBytes: target.sizeBytes };
    return { operation: { kind: 'full', target, blob: description }, blob };
  });
}
