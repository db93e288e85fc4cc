/** UDF (ECMA-167, OSTA UDF 1.02 to 2.01 without virtual partitions): Azure's disc of provisioning data. */
import { concatenate } from '../../../../system/bytes.ts';
import { ascii, checkFileSize, damaged, MEDIUM_LIMITS, u16, u32, ucs2, walk } from './bytes.ts';
import type { ReadBytes, Volume } from './bytes.ts';

const SECTOR = 2048;
const ANCHOR_SECTOR = 256;
const TAG = {
  anchor: 2,
  partition: 5,
  logicalVolume: 6,
  end: 8,
  fileSet: 256,
  name: 257,
  file: 261,
  extendedFile: 266,
};
const MOST_DESCRIPTORS = 32;
const MOST_EXTENTS = 512;
const CHARACTERISTIC = { directory: 0x02, deleted: 0x04, parent: 0x08 };
/** Of a file entry: how its content is found. */
const ALLOCATION = { short: 0, long: 1, embedded: 3 };

/** `undefined` where there is no such file system. */
export function openUdf(read: ReadBytes, sizeBytes: number): Volume | undefined {
  if (sizeBytes < (ANCHOR_SECTOR + 1) * SECTOR) return undefined;
  const anchor = read(ANCHOR_SECTOR * SECTOR, 512);
  if (u16(anchor, 0) !== TAG.anchor || u32(anchor, 12) !== ANCHOR_SECTOR) return undefined;
  let start: number | undefined;
  let volume: Uint8Array | undefined;
  const count = Math.min(MOST_DESCRIPTORS, Math.floor(u32(anchor, 16) / SECTOR));
  for (let index = 0; index < count; index++) {
    const descriptor = read((u32(anchor, 20) + index) * SECTOR, SECTOR);
    const tag = u16(descriptor, 0);
    if (tag === TAG.end) break;
    if (tag === TAG.partition) start ??= u32(descriptor, 188);
    if (tag === TAG.logicalVolume) volume ??= descriptor;
  }
  if (start === undefined || volume === undefined) return undefined;
  if (u32(volume, 212) !== SECTOR) throw damaged('its block size is none of a disc');
  const partition = start;
  const block = (location: number, length = SECTOR): Uint8Array =>
    read((partition + location) * SECTOR, length);
  const fileSet = block(u32(volume, 252));
  if (u16(fileSet, 0) !== TAG.fileSet) throw damaged('it has no file set');
  return {
    labels: [dstring(volume.subarray(84, 212))],
    file: (path) => {
      const found = walk(u32(fileSet, 404), path, (directory) =>
        names(content(block, directory, 'a directory', MEDIUM_LIMITS.directoryBytes)),
      );
      if (found === undefined || found.directory) return undefined;
      return content(block, found.node, path, MEDIUM_LIMITS.fileBytes);
    },
  };
}

type ReadBlock = (location: number, length?: number) => Uint8Array;

function content(block: ReadBlock, location: number, name: string, limitBytes: number): Uint8Array {
  const entry = block(location);
  const tag = u16(entry, 0);
  if (tag !== TAG.file && tag !== TAG.extendedFile) throw damaged('a file entry');
  if (u32(entry, 60) !== 0 || u32(entry, 56) > limitBytes) checkFileSize(name, Infinity);
  const sizeBytes = u32(entry, 56);
  const lengths = tag === TAG.file ? 168 : 208;
  const from = lengths + 8 + u32(entry, lengths);
  const to = from + u32(entry, lengths + 4);
  if (to > SECTOR) throw damaged('a file entry');
  const allocation = u16(entry, 34) & 7;
  if (allocation === ALLOCATION.embedded) return entry.slice(from, Math.min(to, from + sizeBytes));
  if (allocation !== ALLOCATION.short && allocation !== ALLOCATION.long)
    throw damaged('an allocation that is not known');
  const step = allocation === ALLOCATION.short ? 8 : 16;
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (let at = from; at + step <= to && total < sizeBytes && chunks.length < MOST_EXTENTS; at += step) {
    // The two highest bits say whether it was recorded.
    const length = Math.min(u32(entry, at) & 0x3fffffff, sizeBytes - total);
    if (length === 0) break;
    chunks.push(block(u32(entry, at + 4), length));
    total += length;
  }
  if (total < sizeBytes) throw damaged(`${name} is not whole`);
  return concatenate(chunks);
}

function names(
  directory: Uint8Array,
): readonly { readonly name: string; readonly directory: boolean; node: number }[] {
  const found: { name: string; directory: boolean; node: number }[] = [];
  for (let at = 0; at + 38 <= directory.length;) {
    if (u16(directory, at) !== TAG.name) throw damaged('a directory');
    const characteristics = directory[at + 18] ?? 0;
    const nameBytes = directory[at + 19] ?? 0;
    const from = at + 38 + u16(directory, at + 36);
    if ((characteristics & (CHARACTERISTIC.deleted | CHARACTERISTIC.parent)) === 0)
      found.push({
        name: compressedUnicode(directory.subarray(from, from + nameBytes)),
        directory: (characteristics & CHARACTERISTIC.directory) !== 0,
        node: u32(directory, at + 24),
      });
    at += Math.ceil((from - at + nameBytes) / 4) * 4;
  }
  return found;
}

/** OSTA CS0: the first byte says how wide its characters are. */
function compressedUnicode(bytes: Uint8Array): string {
  return bytes[0] === 16 ? ucs2(bytes.subarray(1)) : ascii(bytes, 1, bytes.length);
}

/** Its length stands in the last byte. */
function dstring(field: Uint8Array): string {
  return compressedUnicode(field.subarray(0, field[field.length - 1] ?? 0));
}
