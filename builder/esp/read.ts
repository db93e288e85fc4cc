/** Reads FAT32 file systems (Microsoft, "FAT: General Overview of On-Disk Format", 1.03). The bytes may be hostile. */
import { SlipwayError } from '../../spec/error.ts';
import type { ByteSource } from '../inspect/source.ts';

export interface FatFile {
  /** From the root of the file system, without a leading slash. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly read: () => Promise<Buffer>;
}

interface Fat {
  readonly source: ByteSource;
  readonly clusterBytes: number;
  readonly dataOffset: number;
  readonly clusters: number;
  readonly next: (cluster: number) => number;
}

const ENTRY_BYTES = 32;
const LONG_NAME = 0x0f;
const DIRECTORY = 0x10;
const VOLUME_LABEL = 0x08;
const MAX_FILES = 10_000;
const MAX_DIRECTORIES = 1000;
const MAX_FILE_BYTES = 512 * 1024 * 1024;
const MAX_DIRECTORY_BYTES = 2 * 1024 * 1024;

/** Every file, in the order of the directories. Throws `fat.invalid`. */
export async function readFat(source: ByteSource): Promise<readonly FatFile[]> {
  const { fat, rootCluster } = await openFat(source);
  const files: FatFile[] = [];
  await walk(fat, rootCluster, '', files, new Set());
  return files;
}

async function openFat(source: ByteSource): Promise<{ fat: Fat; rootCluster: number }> {
  const boot = await source.read(0, 512);
  const sectorBytes = boot.readUInt16LE(11);
  const clusterBytes = sectorBytes * boot.readUInt8(13);
  const reserved = boot.readUInt16LE(14);
  const copies = boot.readUInt8(16);
  const fatBytes = boot.readUInt32LE(36) * sectorBytes;
  if (
    boot.readUInt16LE(510) !== 0xaa55 ||
    ![512, 1024, 2048, 4096].includes(sectorBytes) ||
    clusterBytes === 0 ||
    boot.readUInt16LE(22) !== 0 ||
    fatBytes === 0 ||
    fatBytes > 64 * 1024 * 1024
  ) {
    throw invalid('it has no FAT32 boot sector');
  }
  const dataOffset = reserved * sectorBytes + copies * fatBytes;
  const table = await source.read(reserved * sectorBytes, fatBytes);
  const clusters = Math.min(fatBytes / 4, Math.floor((source.sizeBytes - dataOffset) / clusterBytes) + 2);
  const next = (cluster: number): number => table.readUInt32LE(cluster * 4) & 0x0fffffff;
  return {
    fat: { source, clusterBytes, dataOffset, clusters, next },
    rootCluster: boot.readUInt32LE(44),
  };
}

async function walk(
  fat: Fat,
  cluster: number,
  folder: string,
  files: FatFile[],
  seen: Set<number>,
): Promise<void> {
  if (seen.has(cluster)) throw invalid('a directory contains itself');
  if (seen.size > MAX_DIRECTORIES) throw invalid('it has too many directories');
  seen.add(cluster);
  const data = await readChain(fat, cluster, undefined);
  let longName = '';
  for (let at = 0; at + ENTRY_BYTES <= data.length; at += ENTRY_BYTES) {
    const entry = data.subarray(at, at + ENTRY_BYTES);
    const first = entry.readUInt8(0);
    if (first === 0) return;
    const attributes = entry.readUInt8(11);
    if (first === 0xe5 || (attributes & LONG_NAME) === LONG_NAME) {
      longName = first === 0xe5 ? '' : longNamePart(entry) + longName;
      continue;
    }
    const name = longName === '' ? shortName(entry) : longName;
    longName = '';
    if ((attributes & VOLUME_LABEL) !== 0 || name === '.' || name === '..') continue;
    const start = entry.readUInt16LE(20) * 0x10000 + entry.readUInt16LE(26);
    const path = `${folder}${name}`;
    if ((attributes & DIRECTORY) !== 0) {
      await walk(fat, start, `${path}/`, files, seen);
      continue;
    }
    const sizeBytes = entry.readUInt32LE(28);
    files.push({ path, sizeBytes, read: () => readChain(fat, start, sizeBytes) });
    if (files.length > MAX_FILES) throw invalid('it has too many files');
  }
}

async function readChain(fat: Fat, start: number, sizeBytes: number | undefined): Promise<Buffer> {
  if (sizeBytes === 0) return Buffer.alloc(0);
  if (sizeBytes !== undefined && sizeBytes > MAX_FILE_BYTES) throw invalid('a file in it is too large');
  // Also ends chains that bite their own tail.
  const limit = sizeBytes ?? MAX_DIRECTORY_BYTES;
  const parts: Buffer[] = [];
  let read = 0;
  for (let cluster = start; cluster < 0x0ffffff8 && read < limit;) {
    if (cluster < 2 || cluster >= fat.clusters) throw invalid('a cluster chain leaves it');
    // Neighbouring clusters are read at once.
    let count = 1;
    while (
      read + count * fat.clusterBytes < limit &&
      fat.next(cluster + count - 1) === cluster + count &&
      cluster + count < fat.clusters
    ) {
      count++;
    }
    const offset = fat.dataOffset + (cluster - 2) * fat.clusterBytes;
    parts.push(await fat.source.read(offset, count * fat.clusterBytes));
    read += count * fat.clusterBytes;
    cluster = fat.next(cluster + count - 1);
  }
  if (sizeBytes !== undefined && read < sizeBytes) throw invalid('a cluster chain ends before its file does');
  return Buffer.concat(parts).subarray(0, sizeBytes ?? read);
}

/** 13 UTF-16 characters in three places; 0x0000 ends the name, 0xffff fills. */
function longNamePart(entry: Buffer): string {
  const units = Buffer.concat([entry.subarray(1, 11), entry.subarray(14, 26), entry.subarray(28, 32)]);
  return units.toString('utf16le').replace(/\0.*$/s, '').replaceAll('\uffff', '');
}

/** Bits 3 and 4 of byte 12 say that base and extension are lower case, as Windows NT and mtools write them. */
function shortName(entry: Buffer): string {
  const flags = entry.readUInt8(12);
  const part = (from: number, to: number, lower: number): string => {
    const text = entry.subarray(from, to).toString('latin1').trimEnd();
    return (flags & lower) === 0 ? text : text.toLowerCase();
  };
  const extension = part(8, 11, 0x10);
  return extension === '' ? part(0, 8, 0x08) : `${part(0, 8, 0x08)}.${extension}`;
}

function invalid(what: string): SlipwayError {
  return new SlipwayError('fat.invalid', `not a usable FAT32 file system: ${what}`);
}
