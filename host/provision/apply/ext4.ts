/**
 * The identity of an ext4 file system: UUID, label, the seed of its directories' hashes. Checksums of all other blocks hang on a seed of
 * their own (metadata_csum_seed), so that only the superblock's has to be made anew (fs/ext4/super.c, ext4_superblock_csum). Pure.
 */

const SUPERBLOCK = 1024;
const FIELD = { uuid: 104, label: 120, hashSeed: 236, incompatible: 96, checksum: 1020 };
const LABEL_BYTES = 16;
const METADATA_CSUM_SEED = 0x2000;
const POLYNOMIAL = 0x82f6_3b78;

/** `first`: the file system's first block or more. Label of at most 16 ASCII characters. */
export function withIdentity(
  first: Uint8Array,
  label: string,
  uuid: Uint8Array,
  hashSeed: Uint8Array,
): Uint8Array {
  const bytes = first.slice();
  const superblock = bytes.subarray(SUPERBLOCK, 2 * SUPERBLOCK);
  const view = new DataView(bytes.buffer, bytes.byteOffset + SUPERBLOCK, SUPERBLOCK);
  if ((view.getUint32(FIELD.incompatible, true) & METADATA_CSUM_SEED) === 0)
    throw new Error('the empty file system of this image cannot be given a UUID');
  superblock.set(versioned(uuid), FIELD.uuid);
  superblock.set(versioned(hashSeed), FIELD.hashSeed);
  superblock.fill(0, FIELD.label, FIELD.label + LABEL_BYTES);
  superblock.set(
    [...label].slice(0, LABEL_BYTES).map((letter) => letter.charCodeAt(0) & 0x7f),
    FIELD.label,
  );
  view.setUint32(FIELD.checksum, crc32c(superblock.subarray(0, FIELD.checksum)), true);
  return bytes;
}

/** RFC 9562, version 4. */
function versioned(random: Uint8Array): Uint8Array {
  const bytes = random.slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

/** Castagnoli's, without the last inversion, as the kernel has it. A kilobyte: no table is worth it. */
function crc32c(bytes: Uint8Array): number {
  let sum = 0xffff_ffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 1 ? (sum >>> 1) ^ POLYNOMIAL : sum >>> 1;
  }
  return sum >>> 0;
}
