/**
 * The hash tree of dm-verity (Linux, Documentation/admin-guide/device-mapper/verity.rst; format 1): what `veritysetup format` writes, for a
 * salt of any length and SHA-256. On the machine it is rebuilt after an update instead of being downloaded; veritysetup would bring a
 * cryptographic library of 2.5 MB (compressed) for this one purpose.
 */

const BLOCK_BYTES = 4096;
const DIGEST_BYTES = 32;
const DIGESTS_PER_BLOCK = BLOCK_BYTES / DIGEST_BYTES;
/** How many blocks are hashed at once. */
const BATCH = 512;

export interface TreeStore {
  /** A block of the data. */
  readonly readData: (index: number, count: number) => Uint8Array;
  /** Blocks of the tree, counted from its superblock, which is block 0. */
  readonly readTree: (index: number, count: number) => Uint8Array;
  readonly writeTree: (index: number, bytes: Uint8Array) => void;
  /** Digests of several blocks, one after another, each with the salt before it. */
  readonly digests: (blocks: Uint8Array) => Uint8Array;
}

interface Level {
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

/** Writes the tree, all but the superblock, and returns the root hash. */
export function writeTree(dataBlocks: number, store: TreeStore): Uint8Array {
  let below = { count: dataBlocks, read: store.readData };
  for (const level of treeLevels(dataBlocks)) {
    hashLevel(below, level, store);
    below = { count: level.blocks, read: (index, count) => store.readTree(level.start + index, count) };
  }
  return store.digests(below.read(0, 1));
}

function hashLevel(
  below: { readonly count: number; readonly read: TreeStore['readData'] },
  level: Level,
  store: TreeStore,
): void {
  for (let index = 0; index < below.count; index += BATCH) {
    const count = Math.min(BATCH, below.count - index);
    const digests = store.digests(below.read(index, count));
    // A batch fills whole blocks, the last one's rest is zero.
    const bytes = new Uint8Array(Math.ceil(count / DIGESTS_PER_BLOCK) * BLOCK_BYTES);
    bytes.set(digests);
    store.writeTree(level.start + index / DIGESTS_PER_BLOCK, bytes);
  }
}
