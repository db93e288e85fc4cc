/**
 * The superblock of a slot's verity partition (cryptsetup's on-disk format, version 1), by which a slot is known: its UUID is the first half of the
 * root hash. Written last of all that goes into a slot. /init believes none of its numbers.
 */
import { hexOf } from '../../payload/bytes.ts';
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
  return hexOf(superblock.subarray(16, 32));
}

/** Salt and size that it claims; `undefined` where it claims nothing. */
export function slotGeometry(
  superblock: Uint8Array,
): { readonly salt: string; readonly dataBlocks: number } | undefined {
  if (slotContent(superblock) === undefined || superblock.length < SUPERBLOCK_BYTES) return undefined;
  const view = new DataView(superblock.buffer, superblock.byteOffset, superblock.byteLength);
  const [low, high, saltBytes] = [
    view.getUint32(72, true),
    view.getUint32(76, true),
    view.getUint16(80, true),
  ];
  if (high !== 0 || low === 0 || saltBytes > 256) return undefined;
  return { salt: hexOf(superblock.subarray(88, 88 + saltBytes)), dataBlocks: low };
}

function hexBytes(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
