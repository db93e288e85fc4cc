/** An image -> the payload that makes it of nothing; a machine that has some of its blocks fetches only the frames that hold the others. */
import { availableParallelism } from 'node:os';
import type { Toolbox } from '../../../builder/tools/toolbox.ts';
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
 * What one frame holds. Smaller ones serve a machine that lacks few blocks, larger ones compress better (reference image: 64 KiB +13 %, 256 KiB +5 %
 * against 2 MiB).
 */
export const FULL_FRAME_BYTES = 256 * 1024;
/** How many frames one zstd makes, one after another. */
const BATCH = 32;

/** Writes the payload, the same bytes for the same image and tools. */
export async function makeFull(options: FullOptions): Promise<PayloadReference> {
  const { blockBytes } = options;
  return withImage(options.new, async (image) => {
    const batches = batchesOf(image);
    let done = 0;
    const operations = await inTurn(batches, availableParallelism(), async (frames) => {
      const made = await makeFrames(image, frames, options);
      options.progress?.((done += frames.length) / Math.ceil(image.sizeBytes / FULL_FRAME_BYTES));
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

function batchesOf({ sizeBytes }: ImageFile): readonly (readonly Extent[])[] {
  const frames = Array.from({ length: Math.ceil(sizeBytes / FULL_FRAME_BYTES) }, (_, index): Extent => {
    const offset = index * FULL_FRAME_BYTES;
    return { offset, sizeBytes: Math.min(FULL_FRAME_BYTES, sizeBytes - offset) };
  });
  return Array.from({ length: Math.ceil(frames.length / BATCH) }, (_, index) =>
    frames.slice(index * BATCH, (index + 1) * BATCH),
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
