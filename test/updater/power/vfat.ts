/**
 * Writes a FAT32 file system as Linux's vfat does (fs/fat/namei_vfat.c, dir.c, fatent.c), sector by sector: long names, both tables, first fit in
 * directories, next fit in the tables, places and lengths of files kept in inodes until they are written back. Not modelled: `dirsync`, since a
 * disk's write cache makes nothing of it; times.
 */
import {
  END_OF_CHAIN,
  ROOT_CLUSTER,
  SECTORS_PER_CLUSTER,
  bootSector,
  fatShape,
  sectorsOf,
  type FatShape,
} from './fat-shape.ts';
import { flushSectors, patchSector, readSector, SECTOR_BYTES, writeInode, type Medium } from './medium.ts';
import { entryBytes, namesFor, namesOf, SLOT_BYTES, type FoundName, type Slot } from './vfat-names.ts';

export interface Vfat {
  readonly medium: Medium;
  readonly shape: FatShape;
  /** Where the search for a free cluster begins. */
  nextFree: number;
}

export interface FatNode extends FoundName {
  readonly path: string;
}

export class FatError extends Error {}

export function formatFat(medium: Medium, clusters: number): Vfat {
  const shape = fatShape(clusters);
  const fat: Vfat = { medium, shape, nextFree: 3 };
  patchSector(medium, 0, 0, bootSector(shape));
  setFat(fat, 0, 0x0ffffff8);
  setFat(fat, 1, END_OF_CHAIN);
  setFat(fat, ROOT_CLUSTER, END_OF_CHAIN);
  return fat;
}

/** Files and directories in a directory; `undefined` where there is none. */
export function listDirectory(fat: Vfat, path: string): readonly FatNode[] | undefined {
  const cluster = directoryCluster(fat, path);
  if (cluster === undefined) return undefined;
  return namesIn(fat, cluster)
    .filter(({ name }) => name !== '.' && name !== '..')
    .map((found) => ({ ...found, path: path === '' ? found.name : `${path}/${found.name}` }));
}

export function findNode(fat: Vfat, path: string): FatNode | undefined {
  const [directory, name] = split(path);
  const wanted = name.toLowerCase();
  const cluster = directoryCluster(fat, directory);
  if (cluster === undefined) return undefined;
  const found = namesIn(fat, cluster).find(
    (node) => node.name.toLowerCase() === wanted || node.shortName.toLowerCase() === wanted,
  );
  return found === undefined ? undefined : { ...found, path };
}

/** `undefined` where its chain of clusters is broken. */
export function readNode(fat: Vfat, node: FatNode): Uint8Array | undefined {
  const bytes = new Uint8Array(Math.ceil(node.sizeBytes / SECTOR_BYTES) * SECTOR_BYTES);
  let at = 0;
  for (let cluster = node.start; at < node.sizeBytes; cluster = getFat(fat, cluster)) {
    if (cluster < 2 || cluster >= fat.shape.clusters + 2) return undefined;
    for (const sector of sectorsOf(fat.shape, cluster)) {
      if (at >= node.sizeBytes) break;
      bytes.set(readSector(fat.medium, sector), at);
      at += SECTOR_BYTES;
    }
  }
  return bytes.subarray(0, node.sizeBytes);
}

export function makeDirectory(fat: Vfat, path: string): void {
  if (path === '' || findNode(fat, path) !== undefined) return;
  const [parent] = split(path);
  const cluster = allocate(fat, undefined);
  const parentCluster = directoryCluster(fat, parent)!;
  for (const sector of sectorsOf(fat.shape, cluster))
    patchSector(fat.medium, sector, 0, new Uint8Array(SECTOR_BYTES));
  const [first] = sectorsOf(fat.shape, cluster);
  patchSector(fat.medium, first!, 0, entryBytes('.          ', 0x10, cluster, 0));
  const up = parentCluster === ROOT_CLUSTER ? 0 : parentCluster;
  patchSector(fat.medium, first!, SLOT_BYTES, entryBytes('..         ', 0x10, up, 0));
  addName(fat, path, 0x10, cluster, 0);
}

/** `open` with O_CREAT and O_TRUNC. */
export function createFile(fat: Vfat, path: string): void {
  const known = findNode(fat, path);
  if (known === undefined) return addName(fat, path, 0x20, 0, 0);
  setPlace(fat, known, 0, 0);
  freeChain(fat, known.start);
}

/** `bytes` are a multiple of a cluster, but for the last. */
export function appendFile(fat: Vfat, path: string, bytes: Uint8Array): void {
  const node = findNode(fat, path);
  if (node === undefined) throw new FatError(`no ${path}`);
  let { start } = node;
  let last: number | undefined;
  for (let cluster = start; cluster >= 2 && cluster < 0x0ffffff8; cluster = getFat(fat, cluster))
    last = cluster;
  for (let at = 0; at < bytes.length; at += SECTORS_PER_CLUSTER * SECTOR_BYTES) {
    last = allocate(fat, last);
    if (start === 0) start = last;
    for (const [index, sector] of sectorsOf(fat.shape, last).entries()) {
      const part = bytes.subarray(at + index * SECTOR_BYTES, at + (index + 1) * SECTOR_BYTES);
      if (part.length > 0) patchSector(fat.medium, sector, 0, padded(part));
    }
  }
  setPlace(fat, node, start, node.sizeBytes + bytes.length);
}

export function removeFile(fat: Vfat, path: string): void {
  const node = findNode(fat, path);
  if (node === undefined) throw new FatError(`no ${path}`);
  removeName(fat, node);
  freeChain(fat, node.start);
}

/** vfat_rename: the new place first, then the old name. What had the new name loses its content. */
export function renameFile(fat: Vfat, from: string, to: string): void {
  const node = findNode(fat, from);
  if (node === undefined) throw new FatError(`no ${from}`);
  const before = findNode(fat, to);
  if (before === undefined) addName(fat, to, 0x20, 0, 0);
  setPlace(fat, findNode(fat, to)!, node.start, node.sizeBytes);
  removeName(fat, node);
  if (before !== undefined) freeChain(fat, before.start);
}

/** As firmware does it (EDK II, FatSetFileInfo): the old name first, then the new one, at once with its place. */
export function renameByFirmware(fat: Vfat, from: string, to: string): void {
  const node = findNode(fat, from)!;
  removeName(fat, node);
  addName(fat, to, 0x20, node.start, node.sizeBytes);
}

/** fat_file_fsync of a file: content, the sector with its place and length, the tables. */
export function syncFile(fat: Vfat, path: string): void {
  const node = findNode(fat, path);
  if (node === undefined) throw new FatError(`no ${path}`);
  const { sector, offset } = node.slots.at(-1)!;
  writeInode(fat.medium, sector, offset, SLOT_BYTES);
  flushSectors(fat.medium, [sector, ...chain(fat, node.start).flatMap((each) => sectorsOf(fat.shape, each))]);
  flushTables(fat);
}

/** fat_file_fsync of a directory: its buffers, the tables. */
export function syncDirectory(fat: Vfat, path: string): void {
  const cluster = directoryCluster(fat, path);
  if (cluster === undefined) throw new FatError(`no ${path}`);
  flushSectors(fat.medium, directorySectors(fat, cluster));
  flushTables(fat);
}

export function freeClusters(fat: Vfat): number {
  let count = 0;
  for (let cluster = 2; cluster < fat.shape.clusters + 2; cluster++) if (getFat(fat, cluster) === 0) count++;
  return count;
}

function directoryCluster(fat: Vfat, path: string): number | undefined {
  if (path === '') return ROOT_CLUSTER;
  const node = findNode(fat, path);
  return node?.isDirectory === true ? node.start : undefined;
}

function namesIn(fat: Vfat, cluster: number): readonly FoundName[] {
  return namesOf(directorySectors(fat, cluster), (sector) => readSector(fat.medium, sector));
}

function directorySectors(fat: Vfat, cluster: number): readonly number[] {
  return chain(fat, cluster).flatMap((each) => sectorsOf(fat.shape, each));
}

function slotsOf(fat: Vfat, cluster: number): readonly Slot[] {
  return directorySectors(fat, cluster).flatMap((sector) =>
    Array.from({ length: SECTOR_BYTES / SLOT_BYTES }, (_, index) => ({ sector, offset: index * SLOT_BYTES })),
  );
}

function addName(fat: Vfat, path: string, attributes: number, start: number, sizeBytes: number): void {
  const [directory, name] = split(path);
  const cluster = directoryCluster(fat, directory);
  if (cluster === undefined) throw new FatError(`no directory ${directory}`);
  const taken = new Set((listDirectory(fat, directory) ?? []).map(({ shortName }) => shortName));
  const records = nameRecords(name, taken, attributes, start, sizeBytes);
  for (;;) {
    const slots = slotsOf(fat, cluster);
    const isFree = ({ sector, offset }: Slot): boolean =>
      [0, 0xe5].includes(readSector(fat.medium, sector)[offset]!);
    const first = slots.findIndex(
      (_, index) =>
        index + records.length <= slots.length && slots.slice(index, index + records.length).every(isFree),
    );
    if (first >= 0) {
      for (const [index, record] of records.entries())
        patchSector(fat.medium, slots[first + index]!.sector, slots[first + index]!.offset, record);
      return;
    }
    const grown = allocate(fat, chain(fat, cluster).at(-1));
    for (const sector of sectorsOf(fat.shape, grown))
      patchSector(fat.medium, sector, 0, new Uint8Array(SECTOR_BYTES));
  }
}

/** The short entry first, then its long names, backwards. */
function removeName(fat: Vfat, node: FatNode): void {
  for (const { sector, offset } of [...node.slots].reverse())
    patchSector(fat.medium, sector, offset, new Uint8Array([0xe5]));
}

/** In the inode, until that is written back. */
function setPlace(fat: Vfat, node: FatNode, start: number, sizeBytes: number): void {
  const { sector, offset } = node.slots.at(-1)!;
  const entry = Buffer.from(readSector(fat.medium, sector).slice(offset, offset + SLOT_BYTES));
  entry.writeUInt16LE(start >>> 16, 20);
  entry.writeUInt16LE(start & 0xffff, 26);
  entry.writeUInt32LE(sizeBytes, 28);
  patchSector(fat.medium, sector, offset + 20, new Uint8Array(entry.subarray(20)), 'inode');
}

function allocate(fat: Vfat, after: number | undefined): number {
  const { clusters } = fat.shape;
  for (let step = 0; step < clusters; step++) {
    const cluster = 2 + ((fat.nextFree - 2 + step) % clusters);
    if (getFat(fat, cluster) !== 0) continue;
    fat.nextFree = cluster + 1;
    setFat(fat, cluster, END_OF_CHAIN);
    if (after !== undefined) setFat(fat, after, cluster);
    return cluster;
  }
  throw new FatError('no space left on device');
}

function freeChain(fat: Vfat, start: number): void {
  for (const cluster of chain(fat, start)) setFat(fat, cluster, 0);
}

/** As far as it goes: what a cut broke ends it. */
function chain(fat: Vfat, start: number): readonly number[] {
  const clusters: number[] = [];
  for (
    let cluster = start;
    cluster >= 2 && cluster < fat.shape.clusters + 2;
    cluster = getFat(fat, cluster)
  ) {
    if (clusters.includes(cluster) || getFat(fat, cluster) === 0) break;
    clusters.push(cluster);
  }
  return clusters;
}

function getFat({ medium, shape }: Vfat, cluster: number): number {
  const bytes = readSector(medium, shape.firstFat + Math.floor(cluster / 128));
  const at = (cluster % 128) * 4;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) & 0x0fffffff;
}

function setFat({ medium, shape }: Vfat, cluster: number, value: number): void {
  const bytes = new Uint8Array([value, value >>> 8, value >>> 16, value >>> 24]);
  for (const copy of [0, 1])
    patchSector(
      medium,
      shape.firstFat + copy * shape.fatSectors + Math.floor(cluster / 128),
      (cluster % 128) * 4,
      bytes,
    );
}

function flushTables({ medium, shape }: Vfat): void {
  flushSectors(
    medium,
    Array.from({ length: 2 * shape.fatSectors }, (_, index) => shape.firstFat + index),
  );
}

function nameRecords(
  name: string,
  taken: ReadonlySet<string>,
  attributes: number,
  start: number,
  sizeBytes: number,
): readonly Uint8Array[] {
  const { short, long } = namesFor(name, taken);
  return [...long, entryBytes(short, attributes, start, sizeBytes)];
}

function split(path: string): readonly [string, string] {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? ['', path] : [path.slice(0, slash), path.slice(slash + 1)];
}

function padded(part: Uint8Array): Uint8Array {
  if (part.length === SECTOR_BYTES) return part;
  const sector = new Uint8Array(SECTOR_BYTES);
  sector.set(part);
  return sector;
}
