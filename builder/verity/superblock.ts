/** The superblock of a dm-verity hash partition (cryptsetup, docs/on-disk-format of veritysetup; lib/verity/verity.c). */
import { SlipwayError } from '../../spec/error.ts';
import { uuidFromBytes } from '../gpt/guid.ts';

export const VERITY_SUPERBLOCK_BYTES = 512;
const SIGNATURE = Buffer.from('verity\0\0', 'latin1');
const UUID_OFFSET = 16;

export interface VeritySuperblock {
  readonly uuid: string;
  readonly algorithm: string;
  readonly dataBlockBytes: number;
  readonly hashBlockBytes: number;
  readonly dataBlocks: number;
  /** Hexadecimal. */
  readonly salt: string;
}

/** `undefined` where there is none: a slot that holds nothing, or one that is being written. */
export function readVeritySuperblock(bytes: Uint8Array): VeritySuperblock | undefined {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (block.length < VERITY_SUPERBLOCK_BYTES || !block.subarray(0, 8).equals(SIGNATURE)) return undefined;
  const saltBytes = block.readUInt16LE(80);
  const dataBlocks = block.readBigUInt64LE(72);
  if (block.readUInt32LE(8) !== 1 || saltBytes > 256 || dataBlocks > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new SlipwayError('verity.invalid', 'the verity superblock is of a version that is not known');
  }
  return {
    uuid: uuidFromBytes(block.subarray(UUID_OFFSET, UUID_OFFSET + 16)),
    algorithm: block.subarray(32, 64).toString('latin1').replace(/\0.*$/s, ''),
    dataBlockBytes: block.readUInt32LE(64),
    hashBlockBytes: block.readUInt32LE(68),
    dataBlocks: Number(dataBlocks),
    salt: block.subarray(88, 88 + saltBytes).toString('hex'),
  };
}

/** The UUID by which a slot is known: the first half of its root hash. */
export function slotUuid(rootHash: string): string {
  if (!/^[0-9a-f]{64}$/.test(rootHash)) throw new RangeError('a root hash has 64 hexadecimal digits');
  return uuidFromBytes(Buffer.from(rootHash.slice(0, 32), 'hex'));
}

/** Where and what to write so that the superblock carries that UUID; its own hash does not cover it. */
export function slotUuidPatch(rootHash: string): { readonly offset: number; readonly bytes: Uint8Array } {
  return { offset: UUID_OFFSET, bytes: Buffer.from(rootHash.slice(0, 32), 'hex') };
}
