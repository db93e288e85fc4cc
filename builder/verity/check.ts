/** Checks a root against its dm-verity tree as the kernel would (Linux, Documentation/admin-guide/device-mapper/verity.rst), all of it at once. */
import { createHash } from 'node:crypto';
import { SlipwayError } from '../../spec/error.ts';
import { BLOCK_BYTES } from '../../spec/layout.ts';
import type { ByteSource } from '../inspect/source.ts';
import type { VeritySuperblock } from './superblock.ts';

export interface VerityCheck {
  /** Of the data as it is. */
  readonly rootHash: string;
  /** Whether the stored tree is that of the data. */
  readonly treeMatches: boolean;
}

const DIGEST_BYTES = 32;
const HASHES_PER_BLOCK = BLOCK_BYTES / DIGEST_BYTES;
const READ_BLOCKS = 256;

/** Computes the tree anew. Memory: 32 bytes a block. Throws `verity.invalid` for a superblock that no slot of ours has. */
export async function checkVerity(
  data: ByteSource,
  tree: ByteSource,
  superblock: VeritySuperblock,
): Promise<VerityCheck> {
  checkSuperblock(superblock, data);
  const salt = Buffer.from(superblock.salt, 'hex');
  if (superblock.dataBlocks === 1) {
    // A single block needs no tree: its own hash is the root hash.
    const rootHash = hashBlock(await data.read(0, BLOCK_BYTES), salt).toString('hex');
    return { rootHash, treeMatches: true };
  }
  const levels: Buffer[] = [await hashData(data, superblock.dataBlocks, salt)];
  for (let level = levels[0]; level !== undefined && level.length > BLOCK_BYTES; level = levels[0]) {
    levels.unshift(hashBlocks(level, salt));
  }
  const [top = Buffer.alloc(BLOCK_BYTES)] = levels;
  const rootHash = hashBlock(top, salt).toString('hex');
  // The highest level comes first, behind the superblock's own block.
  let offset = BLOCK_BYTES;
  for (const level of levels) {
    if (offset + level.length > tree.sizeBytes) return { rootHash, treeMatches: false };
    if (!(await tree.read(offset, level.length)).equals(level)) return { rootHash, treeMatches: false };
    offset += level.length;
  }
  return { rootHash, treeMatches: true };
}

function checkSuperblock(superblock: VeritySuperblock, data: ByteSource): void {
  const { algorithm, dataBlockBytes, hashBlockBytes, dataBlocks } = superblock;
  if (
    algorithm !== 'sha256' ||
    dataBlockBytes !== BLOCK_BYTES ||
    hashBlockBytes !== BLOCK_BYTES ||
    dataBlocks < 1 ||
    dataBlocks * BLOCK_BYTES > data.sizeBytes
  ) {
    throw new SlipwayError('verity.invalid', 'the verity superblock does not fit its root');
  }
}

async function hashData(data: ByteSource, blocks: number, salt: Buffer): Promise<Buffer> {
  const hashes = Buffer.alloc(Math.ceil(blocks / HASHES_PER_BLOCK) * BLOCK_BYTES);
  for (let first = 0; first < blocks; first += READ_BLOCKS) {
    const count = Math.min(READ_BLOCKS, blocks - first);
    const chunk = await data.read(first * BLOCK_BYTES, count * BLOCK_BYTES);
    for (let index = 0; index < count; index++) {
      const block = chunk.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES);
      hashBlock(block, salt).copy(hashes, (first + index) * DIGEST_BYTES);
    }
  }
  return hashes;
}

function hashBlocks(level: Buffer, salt: Buffer): Buffer {
  const count = level.length / BLOCK_BYTES;
  const hashes = Buffer.alloc(Math.ceil(count / HASHES_PER_BLOCK) * BLOCK_BYTES);
  for (let index = 0; index < count; index++) {
    hashBlock(level.subarray(index * BLOCK_BYTES, (index + 1) * BLOCK_BYTES), salt).copy(
      hashes,
      index * DIGEST_BYTES,
    );
  }
  return hashes;
}

function hashBlock(block: Buffer, salt: Buffer): Buffer {
  return createHash('sha256').update(salt).update(block).digest();
}
