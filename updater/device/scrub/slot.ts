/**
 * Reads a slot against its root hash: the verity tree from the top down, then the data, each block from the medium. What is rotten is made anew: a block of
 * the tree from what is below it, a block of data from wherever one of its digest can be had. Nothing is written whose digest is not the wanted one.
 */
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import { bytesOfHex, hexOf } from '../../payload/bytes.ts';
import type { Medium } from '../apply/medium.ts';
import {
  BATCH,
  blockHasher,
  DIGEST_BYTES,
  DIGESTS_PER_BLOCK,
  treeLevels,
  type BlockHasher,
} from '../apply/tree.ts';
import { digestsOf, hashEach, isEqual, readBlock, type Row } from './rows.ts';
import { remakeBlock } from './tree-repair.ts';

/** Candidates for blocks of a row (data, or the lowest level of the tree), by their numbers; `wanted`: number to digest (hexadecimal). */
export type BlockSource = (wanted: ReadonlyMap<number, string>) => Promise<ReadonlyMap<number, Uint8Array>>;

export interface SlotScrub {
  /** Trusted; salt and size need not be: with wrong ones nothing fits the root hash. */
  readonly rootHash: string;
  readonly salt: string;
  readonly dataBlocks: number;
  readonly data: Medium;
  readonly tree: Medium;
  readonly scratch: string;
  /** Where rotten blocks of data may come from, in order; none: they are only counted. */
  readonly sources: readonly BlockSource[];
  /** Where blocks of the tree's lowest level may come from that cannot be made anew: data below them is rotten too. */
  readonly leafSources: readonly BlockSource[];
  /** Called with the count of bytes that were read: it waits as long as the reading is to be slow, and throws where it is to end. */
  readonly pace: (bytes: number) => Promise<void>;
}

export interface SlotFindings {
  /** Blocks that were rotten, of data and tree. */
  readonly rotten: number;
  readonly repaired: number;
}

/** At once in memory, with what replaces them. */
const ROUND = 256;

/** Throws what `pace` and the sources throw; media that cannot be read are findings. */
export async function scrubSlot(system: System, options: SlotScrub): Promise<SlotFindings> {
  const hasher = blockHasher(system, options.scratch, bytesOfHex(options.salt));
  try {
    return await check({ ...options, hasher });
  } finally {
    hasher.close();
  }
}

type Work = SlotScrub & { readonly hasher: BlockHasher };

async function check(work: Work): Promise<SlotFindings> {
  const { data, tree, dataBlocks, rootHash } = work;
  const rows: readonly Row[] = [
    ...[...treeLevels(dataBlocks)].reverse().map((level) => ({ medium: tree, ...level })),
    { medium: data, start: 0, blocks: dataBlocks },
  ];
  await tree.flush();
  await data.flush();
  let [rotten, repaired] = [0, 0];
  /** Blocks of the row above that hold no digests to go by. */
  let blind: ReadonlySet<number> = new Set();
  for (const [index, row] of rows.entries()) {
    const above = rows[index - 1];
    const digests = (first: number, count: number): Uint8Array | undefined =>
      above === undefined
        ? bytesOfHex(rootHash)
        : above.medium.read(
            (above.start + first / DIGESTS_PER_BLOCK) * BLOCK_BYTES,
            Math.ceil(count / DIGESTS_PER_BLOCK) * BLOCK_BYTES,
          );
    const mend = (bad: ReadonlyMap<number, string>): Promise<ReadonlySet<number>> =>
      index === rows.length - 1 ? mendFrom(work, row, bad, work.sources) : mendTree(work, rows, index, bad);
    const found = await checkRow(work, row, digests, blind, mend);
    rotten += found.rotten;
    repaired += found.repaired;
    blind = found.left;
  }
  return { rotten, repaired };
}

/** `mend` returns which of the rotten blocks are rotten still. */
async function checkRow(
  work: Work,
  row: Row,
  digests: (first: number, count: number) => Uint8Array | undefined,
  blind: ReadonlySet<number>,
  mend: (bad: ReadonlyMap<number, string>) => Promise<ReadonlySet<number>>,
): Promise<SlotFindings & { readonly left: ReadonlySet<number> }> {
  /** Rotten still, or below what is. */
  const left = new Set<number>();
  let bad = new Map<number, string>();
  let [rotten, repaired] = [0, 0];
  const flush = async (): Promise<void> => {
    if (bad.size === 0) return;
    const still = await mend(bad);
    for (const block of still) left.add(block);
    rotten += bad.size;
    repaired += bad.size - still.size;
    bad = new Map();
  };
  for (let first = 0; first < row.blocks; first += BATCH) {
    const count = Math.min(BATCH, row.blocks - first);
    const wanted = digests(first, count);
    const found = await digestsOf(work.hasher, row, first, count);
    for (let index = 0; index < count; index += 1) {
      const block = first + index;
      if (blind.has(Math.floor(block / DIGESTS_PER_BLOCK))) {
        left.add(block);
        continue;
      }
      const digest = wanted?.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
      if (digest === undefined || isEqual(digest, found[index])) continue;
      bad.set(block, hexOf(digest));
      if (bad.size === ROUND) await flush();
    }
    await work.pace(count * BLOCK_BYTES);
  }
  await flush();
  return { rotten, repaired, left };
}

/** From what is below: as it was found first, which is the usual case; see tree-repair.ts for the others. */
async function mendTree(
  work: Work,
  rows: readonly Row[],
  index: number,
  bad: ReadonlyMap<number, string>,
): Promise<ReadonlySet<number>> {
  const made = new Map<number, Uint8Array>();
  for (const [block, digest] of bad) {
    const bytes = await remakeBlock(work, rows, index, block, digest);
    if (bytes !== undefined) made.set(block, bytes);
  }
  const row = rows[index]!;
  const left = await replace(work, row, bad, made);
  if (index < rows.length - 2) return left;
  return mendFrom(work, row, new Map([...bad].filter(([block]) => left.has(block))), work.leafSources);
}

async function mendFrom(
  work: Work,
  row: Row,
  bad: ReadonlyMap<number, string>,
  sources: readonly BlockSource[],
): Promise<ReadonlySet<number>> {
  let left = bad;
  for (const source of sources) {
    if (left.size === 0) break;
    const still = await replace(work, row, left, await source(left));
    left = new Map([...left].filter(([block]) => still.has(block)));
  }
  return new Set(left.keys());
}

/** Writes those that have the wanted digest, and reads them from the medium again: a disk that takes no writes has not been mended. */
async function replace(
  work: Work,
  row: Row,
  bad: ReadonlyMap<number, string>,
  candidates: ReadonlyMap<number, Uint8Array>,
): Promise<ReadonlySet<number>> {
  const still = new Set(bad.keys());
  const blocks = [...candidates.keys()].filter((block) => bad.has(block));
  const isRight = (digest: Uint8Array | undefined, block: number): boolean =>
    digest !== undefined && hexOf(digest) === bad.get(block);
  const digests = await hashEach(
    work.hasher,
    blocks.map((block) => candidates.get(block)),
  );
  const right = blocks.filter((block, index) => isRight(digests[index], block));
  if (right.length === 0) return still;
  for (const block of right) row.medium.write((row.start + block) * BLOCK_BYTES, candidates.get(block)!);
  await row.medium.flush();
  const found = await hashEach(
    work.hasher,
    right.map((block) => readBlock(row, block)),
  );
  right.forEach((block, index) => {
    if (isRight(found[index], block)) still.delete(block);
  });
  return still;
}
