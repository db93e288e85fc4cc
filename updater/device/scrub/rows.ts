/** Levels of a verity tree and the data below them, as a scrub reads them: what cannot be read is a finding. */
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import { concatenate } from '../../../system/bytes.ts';
import type { Medium } from '../apply/medium.ts';
import { DIGEST_BYTES, DIGESTS_PER_BLOCK, type BlockHasher } from '../apply/tree.ts';

/** A level of the tree, or the data below it. */
export interface Row {
  readonly medium: Medium;
  readonly start: number;
  readonly blocks: number;
}

/** Of a block of the tree: which blocks of the row below it names. */
export function childrenOf(block: number, below: Row): { readonly first: number; readonly count: number } {
  const first = block * DIGESTS_PER_BLOCK;
  return { first, count: Math.min(DIGESTS_PER_BLOCK, below.blocks - first) };
}

/** A block of the tree is the digests of the blocks below it, and zeros. */
export function blockOf(digests: readonly (Uint8Array | undefined)[]): Uint8Array {
  const bytes = new Uint8Array(BLOCK_BYTES);
  digests.forEach((digest, index) => {
    if (digest !== undefined) bytes.set(digest, index * DIGEST_BYTES);
  });
  return bytes;
}

/** Digests of blocks; `undefined` where one cannot be read: then each of the batch is read alone. */
export async function digestsOf(
  hasher: BlockHasher,
  row: Row,
  first: number,
  count: number,
): Promise<readonly (Uint8Array | undefined)[]> {
  const bytes = row.medium.read((row.start + first) * BLOCK_BYTES, count * BLOCK_BYTES);
  if (bytes !== undefined) return split(await hasher.start(bytes)(), count);
  const each = Array.from({ length: count }, (_, index) => readBlock(row, first + index));
  return hashEach(hasher, each);
}

export function readBlock({ medium, start }: Row, block: number): Uint8Array | undefined {
  return medium.read((start + block) * BLOCK_BYTES, BLOCK_BYTES);
}

/** At most BATCH blocks, by one program. */
export async function hashEach(
  hasher: BlockHasher,
  blocks: readonly (Uint8Array | undefined)[],
): Promise<readonly (Uint8Array | undefined)[]> {
  const there = blocks.filter((block) => block !== undefined);
  const digests = there.length === 0 ? [] : split(await hasher.start(concatenate(there))(), there.length);
  let next = 0;
  return blocks.map((block) => (block === undefined ? undefined : digests[next++]));
}

function split(digests: Uint8Array, count: number): readonly Uint8Array[] {
  return Array.from({ length: count }, (_, index) =>
    digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES),
  );
}

export function isEqual(a: Uint8Array, b: Uint8Array | undefined): boolean {
  return b !== undefined && a.every((byte, index) => b[index] === byte);
}
