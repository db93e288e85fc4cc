/** Which blocks of the new image the old one has, byte for byte. */
import { createHash } from 'node:crypto';
import { pieces, type ImageFile } from './image-file.ts';

/** Blocks of the new image that follow one another and come from the same kind of place. */
export type Run = CopyRun | ZeroRun | NewRun;

interface Blocks {
  readonly block: number;
  readonly blocks: number;
}

export interface CopyRun extends Blocks {
  readonly kind: 'copy';
  /** Where the old image has them. */
  readonly source: number;
}

export interface ZeroRun extends Blocks {
  readonly kind: 'zero';
}

/** Of which the old image has none. */
export interface NewRun extends Blocks {
  readonly kind: 'new';
}

/** Gapless, in the order of the new image. */
export async function matchBlocks(
  old: ImageFile,
  next: ImageFile,
  blockBytes: number,
): Promise<readonly Run[]> {
  const index = await indexBlocks(old, blockBytes);
  const runs: Run[] = [];
  for await (const { block, key } of blockKeys(next, blockBytes)) {
    const last = runs.at(-1);
    if (key === ZERO) extend(runs, last, { kind: 'zero', block, blocks: 1 });
    else {
      const source = index.find(key, last?.kind === 'copy' ? last.source + last.blocks : undefined, block);
      extend(
        runs,
        last,
        source === undefined ? { kind: 'new', block, blocks: 1 } : { kind: 'copy', block, blocks: 1, source },
      );
    }
  }
  return runs;
}

const ZERO = 'zero';
/** How many equal blocks of the old image are looked at for the one that fits best. */
const CANDIDATES = 64;

function extend(runs: Run[], last: Run | undefined, run: Run): void {
  const goesOn =
    last !== undefined &&
    last.kind === run.kind &&
    (last.kind !== 'copy' || run.kind !== 'copy' || last.source + last.blocks === run.source);
  if (goesOn) runs[runs.length - 1] = { ...last, blocks: last.blocks + run.blocks };
  else runs.push(run);
}

interface BlockIndex {
  /** Where the old image has it: right behind the last match, else nearest to the same place. */
  readonly find: (key: string, following: number | undefined, near: number) => number | undefined;
}

async function indexBlocks(old: ImageFile, blockBytes: number): Promise<BlockIndex> {
  const first = new Map<string, number>();
  const keys: string[] = [];
  // The next block with the same content.
  const chain = new Int32Array(Math.ceil(old.sizeBytes / blockBytes)).fill(-1);
  const last = new Map<string, number>();
  for await (const { block, key } of blockKeys(old, blockBytes)) {
    keys.push(key);
    const before = last.get(key);
    if (before === undefined) first.set(key, block);
    else chain[before] = block;
    last.set(key, block);
  }
  return {
    find: (key, following, near) => {
      if (following !== undefined && keys[following] === key) return following;
      let best: number | undefined;
      let candidate = first.get(key) ?? -1;
      for (let tries = 0; candidate >= 0 && tries < CANDIDATES; tries += 1) {
        if (best === undefined || Math.abs(candidate - near) < Math.abs(best - near)) best = candidate;
        candidate = chain[candidate] ?? -1;
      }
      return best;
    },
  };
}

/** 16 bytes of SHA-256 are enough to call blocks equal; the last block of an image may be a short one, and is equal to none that is not. */
async function* blockKeys(
  image: ImageFile,
  blockBytes: number,
): AsyncGenerator<{ block: number; key: string }> {
  const zeros = Buffer.alloc(blockBytes);
  for await (const { offset, bytes } of pieces(image, PIECE_BYTES)) {
    for (let at = 0; at < bytes.length; at += blockBytes) {
      const block = bytes.subarray(at, at + blockBytes);
      const isZero = block.equals(block.length === blockBytes ? zeros : zeros.subarray(0, block.length));
      const key = isZero ? ZERO : createHash('sha256').update(block).digest().toString('latin1', 0, 16);
      yield { block: (offset + at) / blockBytes, key };
    }
  }
}

const PIECE_BYTES = 4 * 1024 * 1024;
