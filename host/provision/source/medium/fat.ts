/** FAT12, FAT16 and FAT32 with long names, as Microsoft's "FAT32 File System Specification" of 2000 has them. */
import { concatenate } from '../../../../system/bytes.ts';
import { ascii, checkFileSize, damaged, MEDIUM_LIMITS, u16, u32, walk } from './bytes.ts';
import type { ReadBytes, Volume } from './bytes.ts';

const READ_ONLY_HIDDEN_SYSTEM_VOLUME = 0x0f;
const VOLUME_ID = 0x08;
const DIRECTORY = 0x10;
const ENTRY = 32;
const DELETED = 0xe5;
/** Cases of the parts of a short name, as Windows NT keeps them. */
const LOWER_BASE = 0x08;
const LOWER_EXTENSION = 0x10;
/** Of an entry with a part of a long name: where its 13 characters stand. */
const LONG_NAME_CHARACTERS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const WINDOW = 4096;

interface Geometry {
  readonly read: ReadBytes;
  readonly bits: 12 | 16 | 32;
  readonly fatOffset: number;
  readonly dataOffset: number;
  readonly clusterBytes: number;
  readonly clusters: number;
  readonly root: Place;
  readonly bootLabel: string;
}

/** A chain of clusters, or the root directory of FAT12 and FAT16, which is none. */
type Place =
  | { readonly cluster: number; readonly sizeBytes?: number }
  | { readonly offset: number; readonly sizeBytes: number };

/** `undefined` where there is no such file system. */
export function openFat(read: ReadBytes, sizeBytes: number): Volume | undefined {
  const geometry = sizeBytes < 512 ? undefined : readGeometry(read, sizeBytes);
  if (geometry === undefined) return undefined;
  const root = contents(geometry, geometry.root);
  const labels = [rootLabel(root), geometry.bootLabel].filter((label) => label !== '');
  return {
    labels: [...new Set(labels)],
    file: (path) => {
      const found = walk<Place>(geometry.root, path, (directory) => entries(contents(geometry, directory)));
      if (found === undefined || found.directory) return undefined;
      checkFileSize(path, found.node.sizeBytes ?? 0);
      return contents(geometry, found.node);
    },
  };
}

function readGeometry(read: ReadBytes, sizeBytes: number): Geometry | undefined {
  const boot = read(0, 512);
  const sectorBytes = u16(boot, 11);
  const clusterSectors = boot[13] ?? 0;
  const reserved = u16(boot, 14);
  const fats = boot[16] ?? 0;
  if (boot[510] !== 0x55 || boot[511] !== 0xaa) return undefined;
  if (![512, 1024, 2048, 4096].includes(sectorBytes)) return undefined;
  if (clusterSectors === 0 || (clusterSectors & (clusterSectors - 1)) !== 0) return undefined;
  if (reserved === 0 || fats === 0 || fats > 2) return undefined;
  const fatSectors = u16(boot, 22) || u32(boot, 36);
  const sectors = u16(boot, 19) || u32(boot, 32);
  const rootBytes = u16(boot, 17) * ENTRY;
  const rootOffset = (reserved + fats * fatSectors) * sectorBytes;
  const dataOffset = rootOffset + Math.ceil(rootBytes / sectorBytes) * sectorBytes;
  const clusterBytes = clusterSectors * sectorBytes;
  const clusters = Math.floor((sectors * sectorBytes - dataOffset) / clusterBytes);
  if (clusters < 1 || dataOffset >= sizeBytes) return undefined;
  const bits = clusters < 4085 ? 12 : clusters < 65_525 ? 16 : 32;
  const label = bits === 32 ? 71 : 43;
  return {
    read,
    bits,
    fatOffset: reserved * sectorBytes,
    dataOffset,
    clusterBytes,
    clusters,
    root: bits === 32 ? { cluster: u32(boot, 44) } : { offset: rootOffset, sizeBytes: rootBytes },
    bootLabel: boot[label - 5] === 0x29 ? labelText(boot.subarray(label, label + 11)) : '',
  };
}

function labelText(bytes: Uint8Array): string {
  const text = ascii(bytes, 0, 11).trimEnd();
  return text === 'NO NAME' ? '' : text;
}

function rootLabel(root: Uint8Array): string {
  for (let at = 0; at + ENTRY <= root.length && root[at] !== 0; at += ENTRY) {
    const attributes = (root[at + 11] ?? 0) & 0x3f;
    if (root[at] !== DELETED && (attributes & ~0x20) === VOLUME_ID)
      return labelText(root.subarray(at, at + 11));
  }
  return '';
}

/** All bytes of a place: a file's to its size, a directory's whole clusters. */
function contents(geometry: Geometry, place: Place): Uint8Array {
  if ('offset' in place) return geometry.read(place.offset, place.sizeBytes);
  if (place.sizeBytes === 0) return new Uint8Array(0);
  const { clusterBytes, clusters, dataOffset, read } = geometry;
  const limit = place.sizeBytes ?? MEDIUM_LIMITS.directoryBytes;
  const next = fatReader(geometry);
  const chunks: Uint8Array[] = [];
  let total = 0;
  // A chain that runs in a circle ends at the limit.
  for (let cluster = place.cluster; total < limit; cluster = next(cluster)) {
    if (cluster < 2 || cluster >= clusters + 2) {
      if (place.sizeBytes !== undefined) throw damaged('a chain of clusters ends too early');
      break;
    }
    const count = place.sizeBytes === undefined ? clusterBytes : Math.min(clusterBytes, limit - total);
    chunks.push(read(dataOffset + (cluster - 2) * clusterBytes, count));
    total += count;
  }
  return concatenate(chunks);
}

/** The cluster after one; the table is read in pieces. */
function fatReader({ read, bits, fatOffset, clusters }: Geometry): (cluster: number) => number {
  const tableBytes = Math.ceil(((clusters + 2) * bits) / 8);
  let window = new Uint8Array(0);
  let windowAt = -1;
  const byte = (at: number): number => {
    const start = at - (at % WINDOW);
    if (start !== windowAt) {
      window = new Uint8Array(read(fatOffset + start, Math.min(WINDOW, tableBytes - start)));
      windowAt = start;
    }
    return window[at - start] ?? 0;
  };
  return (cluster) => {
    const at = Math.floor((cluster * bits) / 8);
    const pair = byte(at) | (byte(at + 1) << 8);
    if (bits === 16) return pair;
    if (bits === 12) return cluster % 2 === 0 ? pair & 0xfff : pair >> 4;
    return pair | (byte(at + 2) << 16) | ((byte(at + 3) & 0x0f) << 24);
  };
}

function entries(
  directory: Uint8Array,
): readonly { readonly name: string; readonly directory: boolean; node: Place }[] {
  const found: { name: string; directory: boolean; node: Place }[] = [];
  let longName = '';
  for (let at = 0; at + ENTRY <= directory.length && directory[at] !== 0; at += ENTRY) {
    const entry = directory.subarray(at, at + ENTRY);
    const attributes = (entry[11] ?? 0) & 0x3f;
    if (entry[0] === DELETED) longName = '';
    else if (attributes === READ_ONLY_HIDDEN_SYSTEM_VOLUME) {
      // Parts come last first; the one with bit 6 begins a name.
      longName = longNamePart(entry) + (((entry[0] ?? 0) & 0x40) === 0 ? longName : '');
    } else if ((attributes & VOLUME_ID) === 0) {
      const node = { cluster: (u16(entry, 20) << 16) | u16(entry, 26) };
      const isDirectory = (attributes & DIRECTORY) !== 0;
      found.push({
        name: longName === '' ? shortName(entry) : longName,
        directory: isDirectory,
        node: isDirectory ? node : { ...node, sizeBytes: u32(entry, 28) },
      });
      longName = '';
    } else longName = '';
  }
  return found;
}

function longNamePart(entry: Uint8Array): string {
  const characters = LONG_NAME_CHARACTERS.map((at) => u16(entry, at));
  const end = characters.indexOf(0);
  return String.fromCharCode(...characters.slice(0, end < 0 ? characters.length : end));
}

function shortName(entry: Uint8Array): string {
  const flags = entry[12] ?? 0;
  const base = ascii(entry, 0, 8).trimEnd();
  const extension = ascii(entry, 8, 11).trimEnd();
  const cased = [
    (flags & LOWER_BASE) === 0 ? base : base.toLowerCase(),
    (flags & LOWER_EXTENSION) === 0 ? extension : extension.toLowerCase(),
  ];
  return cased.filter((part) => part !== '').join('.');
}
