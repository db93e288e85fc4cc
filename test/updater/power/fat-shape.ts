/** The numbers of the simulated file system: FAT32 with the 4 KiB clusters of the real one, and few of them. */
export interface FatShape {
  readonly clusters: number;
  readonly fatSectors: number;
  readonly firstFat: number;
  readonly dataStart: number;
}

export const SECTORS_PER_CLUSTER = 8;
export const CLUSTER_BYTES = 4096;
export const ROOT_CLUSTER = 2;
export const END_OF_CHAIN = 0x0fffffff;
const RESERVED_SECTORS = 32;

/** Numbered from 2, as FAT does. */
export function fatShape(clusters: number): FatShape {
  const fatSectors = Math.ceil(((clusters + 2) * 4) / 512);
  return {
    clusters,
    fatSectors,
    firstFat: RESERVED_SECTORS,
    dataStart: RESERVED_SECTORS + 2 * fatSectors,
  };
}

export function sectorsOf(shape: FatShape, cluster: number): readonly number[] {
  const first = shape.dataStart + (cluster - 2) * SECTORS_PER_CLUSTER;
  return Array.from({ length: SECTORS_PER_CLUSTER }, (_, index) => first + index);
}

/** The first sector of the file system (Microsoft, FAT: General Overview of On-Disk Format, 1.03). */
export function bootSector(shape: FatShape): Uint8Array {
  const bytes = Buffer.alloc(512);
  bytes.write('\xeb\x58\x90SLIPWAY ', 0, 'latin1');
  bytes.writeUInt16LE(512, 11);
  bytes.writeUInt8(SECTORS_PER_CLUSTER, 13);
  bytes.writeUInt16LE(RESERVED_SECTORS, 14);
  bytes.writeUInt8(2, 16);
  bytes.writeUInt8(0xf8, 21);
  bytes.writeUInt32LE(shape.dataStart + shape.clusters * SECTORS_PER_CLUSTER, 32);
  bytes.writeUInt32LE(shape.fatSectors, 36);
  bytes.writeUInt32LE(ROOT_CLUSTER, 44);
  bytes.writeUInt16LE(1, 48);
  bytes.writeUInt16LE(6, 50);
  bytes.writeUInt8(0x29, 66);
  bytes.write('ESP        FAT32   ', 71, 'latin1');
  bytes.writeUInt16LE(0xaa55, 510);
  return new Uint8Array(bytes);
}
