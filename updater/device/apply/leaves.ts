/**
 * Leaf digests of verity trees, in memory: the first eight bytes of each. All versions of an image have the same salt, so equal blocks have equal digests,
 * and what a machine has of a new version is found without hashing anything. What eight bytes or a rotten tree get wrong, the check of the whole slot finds.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import type { FileReference } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import { digestSink } from './digests.ts';
import type { ApplyContext } from './facts.ts';
import { readExactly } from './header.ts';
import type { Medium } from './medium.ts';
import { DIGEST_BYTES, hashBlocks, treeLevels, type Level } from './tree.ts';

export interface Leaves {
  readonly count: number;
  /** Two words for each. */
  readonly words: Uint32Array;
}

const WORDS = DIGEST_BYTES / 4;
const CHUNK_BYTES = 64 * 1024;

/** The release's block list, checked. Throws what fetching throws. */
export async function fetchBlockList(
  system: System,
  { fetcher }: Pick<ApplyContext, 'fetcher'>,
  reference: FileReference,
  dataBlocks: number,
): Promise<Leaves> {
  if (reference.sizeBytes !== dataBlocks * DIGEST_BYTES)
    throw new SlipwayError('update.block-list', 'the block list does not fit the root');
  for (;;) {
    const stream = fetcher.stream(payloadName(reference.sha256), 0, reference.sizeBytes);
    const sink = digestSink(system);
    const leaves = emptyLeaves(dataBlocks);
    for (let offset = 0; offset < reference.sizeBytes; offset += CHUNK_BYTES) {
      const bytes = await readExactly(stream, Math.min(CHUNK_BYTES, reference.sizeBytes - offset));
      sink.write(bytes);
      shorten(leaves, offset / DIGEST_BYTES, bytes);
    }
    if ((await sink.end()) === reference.sha256) return leaves;
    stream.distrust();
  }
}

/** The leaves of a tree that lies on `tree`, as far as they can be read. */
export function readLeaves(tree: Medium, dataBlocks: number): Leaves {
  const leaves = emptyLeaves(dataBlocks);
  const [level] = treeLevels(dataBlocks);
  for (let offset = 0; level !== undefined && offset < dataBlocks * DIGEST_BYTES; offset += CHUNK_BYTES) {
    const count = Math.min(CHUNK_BYTES, dataBlocks * DIGEST_BYTES - offset);
    const bytes = tree.read(level.start * BLOCK_BYTES + offset, count);
    if (bytes !== undefined) shorten(leaves, offset / DIGEST_BYTES, bytes);
  }
  return leaves;
}

/** More than a slot can have: a tree of rubbish ends here. */
const MOST_BLOCKS = 2 ** 28;

/**
 * How many blocks the tree on `tree` is of, if its salt is this one: found without its superblock, which is zeroed while a slot is being filled. The
 * first block of each level is the parent of the next level's first; the lowest level's first digest is that of the first block of data.
 */
export async function findTree(
  system: System,
  scratch: string,
  salt: string,
  { data, tree }: { readonly data: Medium; readonly tree: Medium },
): Promise<number | undefined> {
  const first = data.read(0, BLOCK_BYTES);
  if (first === undefined) return undefined;
  const leaf = await hashBlocks(system, scratch, salt, first);
  for (let level: Level = { start: 1, blocks: 1 }; level.blocks < MOST_BLOCKS;) {
    const children = countChildren(tree, level);
    if (children === undefined) return undefined;
    if (startsWith(tree.read(level.start * BLOCK_BYTES, DIGEST_BYTES), leaf)) return children;
    level = { start: level.start + level.blocks, blocks: children };
  }
  return undefined;
}

/** Digests of a level: full blocks, and the part of the last one that is not zero. */
function countChildren(tree: Medium, { start, blocks }: Level): number | undefined {
  const last = tree.read((start + blocks - 1) * BLOCK_BYTES, BLOCK_BYTES);
  if (last === undefined) return undefined;
  let used = BLOCK_BYTES / DIGEST_BYTES;
  while (
    used > 0 &&
    last.subarray((used - 1) * DIGEST_BYTES, used * DIGEST_BYTES).every((byte) => byte === 0)
  )
    used -= 1;
  return used === 0 ? undefined : (blocks - 1) * (BLOCK_BYTES / DIGEST_BYTES) + used;
}

function startsWith(bytes: Uint8Array | undefined, start: Uint8Array): boolean {
  return bytes !== undefined && start.every((byte, index) => bytes[index] === byte);
}

function emptyLeaves(count: number): Leaves {
  return { count, words: new Uint32Array(2 * count) };
}

function shorten({ words }: Leaves, first: number, bytes: Uint8Array): void {
  const all = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  for (let index = 0; index * WORDS < all.length; index += 1) {
    words[2 * (first + index)] = all[index * WORDS] ?? 0;
    words[2 * (first + index) + 1] = all[index * WORDS + 1] ?? 0;
  }
}
