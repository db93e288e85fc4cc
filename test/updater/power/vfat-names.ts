/** Names in vfat's directories as Linux writes and reads them: an entry of 32 bytes with a short name, before it the long one in records of 13 letters. */
import { SECTOR_BYTES } from './medium.ts';

export const SLOT_BYTES = 32;
const LONG_NAME = 0x0f;
const LETTERS_AT = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30] as const;

export interface Slot {
  readonly sector: number;
  readonly offset: number;
}

export interface FoundName {
  readonly name: string;
  /** Eleven letters as on the disk, with a dot where it has an extension. */
  readonly shortName: string;
  readonly isDirectory: boolean;
  readonly start: number;
  readonly sizeBytes: number;
  /** The last is the one with the short name. */
  readonly slots: readonly Slot[];
}

/** fat_get_short_entry, fat_parse_long: free slots are passed over, also those behind the end mark. */
export function namesOf(
  sectors: readonly number[],
  read: (sector: number) => Uint8Array,
): readonly FoundName[] {
  const found: FoundName[] = [];
  let long: { slots: Slot[]; text: string; left: number; checksum: number } | undefined;
  let expected = -1;
  for (const [index, sector] of sectors.entries()) {
    for (const record of recordsOf(read(sector))) {
      const slot = { sector, offset: record.offset };
      const at = (index * SECTOR_BYTES + record.offset) / SLOT_BYTES;
      if (at !== expected) long = undefined;
      expected = at + 1;
      if (record.kind === 'long') {
        const { number, checksum, text, isLast } = record;
        if (isLast) long = { slots: [slot], text, left: number - 1, checksum };
        else if (long !== undefined && long.left === number && long.checksum === checksum)
          long = { slots: [...long.slots, slot], text: text + long.text, left: number - 1, checksum };
        else long = undefined;
        continue;
      }
      const isWhole = long !== undefined && long.left === 0 && long.checksum === record.checksum;
      const { shortName, isDirectory, start, sizeBytes } = record;
      const name = isWhole ? long!.text : shortName;
      found.push({
        name,
        shortName,
        isDirectory,
        start,
        sizeBytes,
        slots: [...(isWhole ? long!.slots : []), slot],
      });
      long = undefined;
    }
  }
  return found;
}

type SlotRecord =
  | {
      readonly kind: 'long';
      readonly offset: number;
      readonly number: number;
      readonly isLast: boolean;
      readonly checksum: number;
      readonly text: string;
    }
  | (Omit<FoundName, 'name' | 'slots'> & {
      readonly kind: 'short';
      readonly offset: number;
      readonly checksum: number;
    });

/** Sectors never change, so each is parsed once. */
const parsedSectors = new WeakMap<Uint8Array, readonly SlotRecord[]>();

function recordsOf(sector: Uint8Array): readonly SlotRecord[] {
  const known = parsedSectors.get(sector);
  if (known !== undefined) return known;
  const records: SlotRecord[] = [];
  for (let offset = 0; offset < SECTOR_BYTES; offset += SLOT_BYTES) {
    const first = sector[offset]!;
    if (first !== 0 && first !== 0xe5)
      records.push(parseSlot(Buffer.from(sector.subarray(offset, offset + SLOT_BYTES)), offset));
  }
  parsedSectors.set(sector, records);
  return records;
}

function parseSlot(entry: Buffer, offset: number): SlotRecord {
  const first = entry.readUInt8(0);
  if (entry.readUInt8(11) === LONG_NAME)
    return {
      ...{ kind: 'long', offset, number: first & 0x3f, isLast: (first & 0x40) !== 0 },
      ...{ checksum: entry.readUInt8(13), text: letters(entry) },
    };
  const raw = entry.toString('latin1', 0, 11);
  return {
    ...{ kind: 'short', offset, checksum: checksumOf(raw) },
    shortName: `${raw.slice(0, 8).trimEnd()}.${raw.slice(8).trimEnd()}`.replace(/\.$/, ''),
    isDirectory: (entry.readUInt8(11) & 0x10) !== 0,
    start: entry.readUInt16LE(20) * 0x10000 + entry.readUInt16LE(26),
    sizeBytes: entry.readUInt32LE(28),
  };
}

/** vfat_build_slots: the short name as the disk has it, and the records of the long one; none where the name is short and in capitals. */
export function namesFor(
  name: string,
  taken: ReadonlySet<string>,
): { readonly short: string; readonly long: readonly Uint8Array[] } {
  const plain = /^([A-Z0-9_~-]{1,8})(?:\.([A-Z0-9_~-]{1,3}))?$/.exec(name);
  if (plain !== null) return { short: plain[1]!.padEnd(8) + (plain[2] ?? '').padEnd(3), long: [] };
  const dot = name.lastIndexOf('.');
  const letter = (text: string): string =>
    text
      .toUpperCase()
      .replaceAll(/[. ]/g, '')
      .replaceAll(/[+,;=[\]]/g, '_');
  const base = letter(dot > 0 ? name.slice(0, dot) : name);
  const extension = letter(dot > 0 ? name.slice(dot + 1) : '').slice(0, 3);
  let number = 1;
  const tail = (): string => `${base.slice(0, 8 - `~${number}`.length)}~${number}`;
  while (taken.has(extension === '' ? tail() : `${tail()}.${extension}`)) number++;
  const short = tail().padEnd(8) + extension.padEnd(3);
  const count = Math.ceil(name.length / 13);
  const long = Array.from({ length: count }, (_, index) =>
    longRecord(name, count - index, index === 0, checksumOf(short)),
  );
  return { short, long };
}

export function entryBytes(short: string, attributes: number, start: number, sizeBytes: number): Uint8Array {
  const entry = Buffer.alloc(SLOT_BYTES);
  entry.write(short, 0, 'latin1');
  entry.writeUInt8(attributes, 11);
  entry.writeUInt16LE(start >>> 16, 20);
  entry.writeUInt16LE(start & 0xffff, 26);
  entry.writeUInt32LE(sizeBytes, 28);
  return new Uint8Array(entry);
}

function longRecord(name: string, number: number, isLast: boolean, checksum: number): Uint8Array {
  const record = Buffer.alloc(SLOT_BYTES, 0xff);
  record.writeUInt8(number | (isLast ? 0x40 : 0), 0);
  record.writeUInt8(LONG_NAME, 11);
  record.writeUInt8(0, 12);
  record.writeUInt8(checksum, 13);
  record.writeUInt16LE(0, 26);
  const part = name.slice((number - 1) * 13, number * 13);
  for (const [index, at] of LETTERS_AT.entries())
    if (index <= part.length) record.writeUInt16LE(index < part.length ? part.charCodeAt(index) : 0, at);
  return new Uint8Array(record);
}

function letters(record: Buffer): string {
  const codes = LETTERS_AT.map((at) => record.readUInt16LE(at));
  const end = codes.indexOf(0);
  return String.fromCharCode(...(end < 0 ? codes : codes.slice(0, end)));
}

function checksumOf(short: string): number {
  let sum = 0;
  for (let index = 0; index < 11; index++)
    sum = (((sum & 1) << 7) + (sum >> 1) + short.charCodeAt(index)) & 0xff;
  return sum;
}
