/**
 * The verity tree of a slot (Linux, Documentation/admin-guide/device-mapper/verity.rst; format 1, SHA-256), made from what is read back of its data: it
 * is never downloaded. It is what `veritysetup format` writes, without the superblock, which commits a slot and is not ours.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import { bytesOfHex, hexOf } from '../../payload/bytes.ts';
import { evenNames, startRawDigests } from './digests.ts';
import type { Medium } from './medium.ts';

export const DIGEST_BYTES = 32;
export const DIGESTS_PER_BLOCK = BLOCK_BYTES / DIGEST_BYTES;
/** Blocks that one `sha256sum` hashes: whole blocks of the tree. */
export const BATCH = 384;

export interface Level {
  /** In blocks, from the superblock's, which is block 0. */
  readonly start: number;
  readonly blocks: number;
}

/**
 * Where each level lies, from the leaves to the top, whose single block is the first after the superblock. A single block of data has none: its own
 * digest is the root hash.
 */
export function treeLevels(dataBlocks: number): readonly Level[] {
  const counts: number[] = [];
  for (let left = dataBlocks; left > 1;) {
    left = Math.ceil(left / DIGESTS_PER_BLOCK);
    counts.push(left);
  }
  let start = 1;
  const levels = counts.reverse().map((blocks) => {
    const level = { start, blocks };
    start += blocks;
    return level;
  });
  return levels.reverse();
}

export interface TreeOptions {
  readonly scratch: string;
  readonly dataBlocks: number;
  /** Hexadecimal. */
  readonly salt: string;
  /** Writes the lowest level; without it, all of the data is hashed. */
  readonly writeLeaves?: (hasher: BlockHasher, leaves: Level) => Promise<void>;
  readonly progress?: (doneBlocks: number) => void;
}

/** Writes the tree of `data` to `tree`, and returns the root hash of what the media hold: `data` and `tree` are flushed before they are read. */
export async function makeTree(
  system: System,
  data: Medium,
  tree: Medium,
  options: TreeOptions,
): Promise<string> {
  const hasher = blockHasher(system, options.scratch, bytesOfHex(options.salt));
  try {
    await data.flush();
    let below = { medium: data, start: 0, blocks: options.dataBlocks };
    for (const level of treeLevels(options.dataBlocks)) {
      if (below.medium === data && options.writeLeaves !== undefined)
        await options.writeLeaves(hasher, level);
      else await hashLevel(hasher, below, { medium: tree, ...level }, options.progress);
      await tree.flush();
      below = { medium: tree, start: level.start, blocks: level.blocks };
    }
    const finish = hasher.start(readBlocks(below, 0, 1));
    return hexOf(await finish());
  } finally {
    hasher.close();
  }
}

/** Digests of whole blocks, each behind the salt, one after another. */
export async function hashBlocks(
  system: System,
  scratch: string,
  salt: string,
  blocks: Uint8Array,
): Promise<Uint8Array> {
  const hasher = blockHasher(system, scratch, bytesOfHex(salt));
  try {
    const finish = hasher.start(blocks);
    return await finish();
  } finally {
    hasher.close();
  }
}

interface Blocks extends Level {
  readonly medium: Medium;
}

/** While one batch is hashed, the next one is read. */
async function hashLevel(
  hasher: BlockHasher,
  below: Blocks,
  level: Blocks,
  progress: TreeOptions['progress'],
): Promise<void> {
  let pending: (() => Promise<void>) | undefined;
  for (let index = 0; index < below.blocks; index += BATCH) {
    const count = Math.min(BATCH, below.blocks - index);
    const digests = hasher.start(readBlocks(below, index, count));
    await pending?.();
    pending = async () => {
      // Whole blocks: the rest of the last one is zero.
      const bytes = new Uint8Array(Math.ceil(count / DIGESTS_PER_BLOCK) * BLOCK_BYTES);
      bytes.set(await digests());
      level.medium.write((level.start + index / DIGESTS_PER_BLOCK) * BLOCK_BYTES, bytes);
      progress?.(index + count);
    };
  }
  await pending?.();
}

export function readBlocks(
  { medium, start }: Pick<Blocks, 'medium' | 'start'>,
  index: number,
  count: number,
): Uint8Array {
  const bytes = medium.read((start + index) * BLOCK_BYTES, count * BLOCK_BYTES);
  if (bytes === undefined)
    throw new SlipwayError('update.read-back', `${medium.path} cannot be read at block ${start + index}`, {
      hint: 'the disk may be failing',
    });
  return bytes;
}

export interface BlockHasher {
  /** Begins to hash whole blocks, each behind the salt; the result gives their digests. */
  readonly start: (blocks: Uint8Array) => () => Promise<Uint8Array>;
  readonly close: () => void;
}

/** Files in memory, made once, with the salt at their start: two sets, since one is filled while the other is hashed. */
export function blockHasher(system: System, scratch: string, salt: Uint8Array): BlockHasher {
  const sets = [0, 1].map((set) => {
    const directory = `${scratch}/blocks${set}`;
    system.makeDirectory(directory, 0o700);
    return { directory, names: evenNames(directory, BATCH), files: [] as number[] };
  });
  let turn = 0;
  const makeFile = ({ directory, names, files }: (typeof sets)[number], index: number): number => {
    const file = system.open(`${directory}/${names[index] ?? ''}`, {
      access: 'write',
      create: { mode: 0o600 },
    });
    if (file < 0 || !system.writeAt(file, 0, salt))
      throw new SlipwayError('update.scratch', `cannot write to ${directory}`);
    files.push(file);
    return file;
  };
  return {
    start: (blocks) => {
      const set = sets[turn];
      turn = 1 - turn;
      if (set === undefined) throw new RangeError('there are two sets');
      const count = blocks.length / BLOCK_BYTES;
      for (let index = 0; index < count; index += 1) {
        const file = set.files[index] ?? makeFile(set, index);
        if (
          !system.writeAt(file, salt.length, blocks.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES))
        )
          throw new SlipwayError('update.scratch', `cannot write to ${set.directory}`);
      }
      return startRawDigests(system, set.directory, set.names.slice(0, count));
    },
    close: () => {
      for (const { directory, names, files } of sets) {
        files.forEach((file, index) => {
          system.close(file);
          system.remove(`${directory}/${names[index] ?? ''}`);
        });
        system.remove(directory);
      }
    },
  };
}
