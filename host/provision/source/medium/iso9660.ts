/** ISO 9660 (ECMA-119) with Joliet or Rock Ridge names, as mkisofs, xorriso and hypervisors write it. */
import { concatenate } from '../../../../system/bytes.ts';
import { ascii, checkFileSize, damaged, MEDIUM_LIMITS, u16, u32, ucs2, walk } from './bytes.ts';
import type { ReadBytes, Volume } from './bytes.ts';

const SECTOR = 2048;
/** Volume descriptors begin here; an honest disc has two to four. */
const DESCRIPTORS_AT = 16 * SECTOR;
const MOST_DESCRIPTORS = 8;
const PRIMARY = 1;
const SUPPLEMENTARY = 2;
const TERMINATOR = 255;
/** Escape sequences of Joliet's three levels. */
const JOLIET = ['%/@', '%/C', '%/E'];
const DIRECTORY = 0x02;
const MULTI_EXTENT = 0x80;

interface Extent {
  readonly offset: number;
  readonly sizeBytes: number;
  readonly whole: boolean;
}

/** `undefined` where there is no such file system. */
export function openIso9660(read: ReadBytes, sizeBytes: number): Volume | undefined {
  if (sizeBytes < DESCRIPTORS_AT + SECTOR) return undefined;
  let primary: Uint8Array | undefined;
  let joliet: Uint8Array | undefined;
  for (let index = 0; index < MOST_DESCRIPTORS; index++) {
    const offset = DESCRIPTORS_AT + index * SECTOR;
    if (offset + SECTOR > sizeBytes) break;
    const descriptor = read(offset, SECTOR);
    if (ascii(descriptor, 1, 6) !== 'CD001' || descriptor[0] === TERMINATOR) break;
    if (descriptor[0] === PRIMARY) primary ??= descriptor;
    if (descriptor[0] === SUPPLEMENTARY && JOLIET.includes(ascii(descriptor, 88, 91))) joliet ??= descriptor;
  }
  if (primary === undefined) return undefined;
  const plain = rootOf(primary);
  const withUnicode = joliet === undefined ? undefined : rootOf(joliet);
  return {
    labels: [ascii(primary, 40, 72).replace(/[\0 ]+$/, '')],
    file: (path) => {
      // Rock Ridge stands in the plain tree; where there is none, its names say nothing of case and dashes.
      const found =
        find(read, plain, path, false) ??
        (withUnicode === undefined ? undefined : find(read, withUnicode, path, true));
      if (found === undefined) return undefined;
      checkFileSize(path, found.sizeBytes);
      if (!found.whole) throw damaged(`${path} is in several pieces`);
      return found.sizeBytes === 0 ? new Uint8Array(0) : read(found.offset, found.sizeBytes);
    },
  };
}

function rootOf(descriptor: Uint8Array): { readonly blockBytes: number; readonly root: Extent } {
  const blockBytes = u16(descriptor, 128);
  if (![512, 1024, 2048].includes(blockBytes)) throw damaged('its block size is none');
  return { blockBytes, root: extentOf(descriptor.subarray(156, 190), blockBytes) };
}

function extentOf(record: Uint8Array, blockBytes: number): Extent {
  // Behind the extended attributes, if there are any.
  return {
    offset: (u32(record, 2) + (record[1] ?? 0)) * blockBytes,
    sizeBytes: u32(record, 10),
    whole: ((record[25] ?? 0) & MULTI_EXTENT) === 0,
  };
}

function find(
  read: ReadBytes,
  { blockBytes, root }: { readonly blockBytes: number; readonly root: Extent },
  path: string,
  unicode: boolean,
): Extent | undefined {
  const found = walk(root, path, (directory) => {
    if (directory.sizeBytes > MEDIUM_LIMITS.directoryBytes) throw damaged('a directory without end');
    return records(read(directory.offset, directory.sizeBytes)).map((record) => ({
      name: nameOf(record, unicode),
      directory: ((record[25] ?? 0) & DIRECTORY) !== 0,
      node: extentOf(record, blockBytes),
    }));
  });
  return found === undefined || found.directory ? undefined : found.node;
}

function records(directory: Uint8Array): readonly Uint8Array[] {
  const found: Uint8Array[] = [];
  for (let at = 0; at < directory.length;) {
    const length = directory[at] ?? 0;
    if (length === 0) {
      // No record crosses a sector: the rest of this one is empty.
      at = (Math.floor(at / SECTOR) + 1) * SECTOR;
      continue;
    }
    if (length < 34 || 33 + (directory[at + 32] ?? 0) > length) throw damaged('a directory record');
    found.push(directory.subarray(at, at + length));
    at += length;
  }
  return found;
}

function nameOf(record: Uint8Array, unicode: boolean): string {
  const end = 33 + (record[32] ?? 0);
  const bytes = record.subarray(33, end);
  const rockRidge = unicode ? undefined : alternateName(record.subarray(end + (end % 2)));
  if (rockRidge !== undefined) return rockRidge;
  const name = unicode ? ucs2(bytes) : ascii(bytes, 0, bytes.length);
  return name.replace(/;\d+$/, '').replace(/\.$/, '');
}

/** The `NM` entries of the System Use area (SUSP, RRIP 4.1.4). */
function alternateName(area: Uint8Array): string | undefined {
  const parts: Uint8Array[] = [];
  for (let at = 0; at + 4 <= area.length;) {
    const length = area[at + 2] ?? 0;
    if (length < 4 || at + length > area.length) break;
    if (area[at] === 0x4e && area[at + 1] === 0x4d) parts.push(area.subarray(at + 5, at + length));
    at += length;
  }
  const name = concatenate(parts);
  return name.length === 0 ? undefined : ascii(name, 0, name.length);
}
