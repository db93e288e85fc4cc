/**
 * The superblock of a slot's verity partition (cryptsetup's on-disk format, version 1), by which a slot is known: its UUID is the first half of the
 * root hash. Written last of all that goes into a slot. /init believes none of its numbers.
 */
import type { RootContent } from '../../release/document.ts';

export const SUPERBLOCK_BYTES = 512;
const SIGNATURE = [0x76, 0x65, 0x72, 0x69, 0x74, 0x79, 0, 0];
const BLOCK_BYTES = 4096;

export function makeSuperblock(root: Pick<RootContent, 'rootHash' | 'salt' | 'sizeBytes'>): Uint8Array {
  const bytes = new Uint8Array(SUPERBLOCK_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(SIGNATURE, 0);
  view.setUint32(8, 1, true);
  view.setUint32(12, 1, true);
  bytes.set(hexBytes(root.rootHash.slice(0, 32)), 16);
  bytes.set(
    [...'sha256'].map((letter) => letter.charCodeAt(0)),
    32,
  );
  view.setUint32(64, BLOCK_BYTES, true);
  view.setUint32(68, BLOCK_BYTES, true);
  view.setBigUint64(72, BigInt(root.sizeBytes / BLOCK_BYTES), true);
  const salt = hexBytes(root.salt);
  view.setUint16(80, salt.length, true);
  bytes.set(salt, 88);
  return bytes;
}

/** First half of the root hash of what a slot holds; `undefined` where it holds nothing that is complete. */
export function slotContent(superblock: Uint8Array): string | undefined {
  if (superblock.length < 32 || SIGNATURE.some((byte, index) => superblock[index] !== byte)) return undefined;
  return [...superblock.subarray(16, 32)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
