/**
 * Gives a disk's partition table to its machine: the last partition, which is state, reaches to the end of the disk, and GUIDs of the image become
 * the machine's own (decisions.md 3, 10). Only bytes are changed that must be; whatever else the table holds stays. UEFI 2.10, 5.3.
 */
import { crc32 } from '../../spec/crc32.ts';
import { ALIGNMENT_BYTES } from '../../spec/layout.ts';

export interface TableRequest {
  readonly diskBytes: number;
  readonly sectorBytes: number;
  /** The disk's first bytes: protective MBR, primary header, primary entries. */
  readonly head: Uint8Array;
  /** The disk's last bytes, as many as `tailBytes` says. */
  readonly tail: Uint8Array;
  /** Instead of the image's: of the disk and of the ESP. */
  readonly newGuids?: { readonly disk: string; readonly esp: string };
}

export type TableResult =
  | { readonly ok: true; readonly head: Uint8Array; readonly tail: Uint8Array }
  | { readonly ok: false; readonly problem: string };

const ENTRIES = 128;
const ENTRY_BYTES = 128;
const TABLE_BYTES = ENTRIES * ENTRY_BYTES;
const HEADER_BYTES = 92;

/** Header fields, by offset. */
const FIELD = {
  crc: 16,
  own: 24,
  other: 32,
  lastUsable: 48,
  guid: 56,
  entries: 72,
  count: 80,
  size: 84,
  entriesCrc: 88,
};

/** Length of the backup copy at the end of a disk. */
export function tailBytes(sectorBytes: number): number {
  return TABLE_BYTES + sectorBytes;
}

/** Length of MBR and primary copy at its start. */
export function headBytes(sectorBytes: number): number {
  return 2 * sectorBytes + TABLE_BYTES;
}

/** Both copies anew. The primary is believed if its checksums are right, else the backup; where neither is, nothing is changed. */
export function adaptTable(request: TableRequest): TableResult {
  const { sectorBytes, diskBytes, newGuids } = request;
  const lastSector = diskBytes / sectorBytes - 1;
  const found =
    readCopy(request.head.subarray(sectorBytes), request.head.subarray(2 * sectorBytes)) ??
    readCopy(request.tail.subarray(TABLE_BYTES), request.tail);
  if (found === undefined) return { ok: false, problem: 'neither copy of the partition table is whole' };
  const header = found.header.slice();
  const entries = found.entries.slice();

  const lastUsable = lastSector - TABLE_BYTES / sectorBytes - 1;
  const last = lastEntry(entries);
  if (last === undefined || partitionName(last) !== 'slipway-state')
    return { ok: false, problem: 'the last partition of the disk is not slipway-state' };
  const aligned =
    Math.floor(((lastUsable + 1) * sectorBytes) / ALIGNMENT_BYTES) * (ALIGNMENT_BYTES / sectorBytes) - 1;
  if (aligned > sector(last, 40)) setSector(last, 40, aligned);
  if (sector(last, 40) > lastUsable) return { ok: false, problem: 'the disk is smaller than its partitions' };

  if (newGuids !== undefined) {
    header.set(guidBytes(newGuids.disk), FIELD.guid);
    eachEntry(entries, (entry) => {
      if (partitionName(entry) === 'esp') entry.set(guidBytes(newGuids.esp), 16);
    });
  }
  setSector(header, FIELD.lastUsable, lastUsable);
  view(header).setUint32(FIELD.entriesCrc, crc32(entries), true);

  const head = request.head.slice(0, headBytes(sectorBytes));
  setProtectiveSize(head, lastSector);
  place(head, sectorBytes, sealed(header, { own: 1, other: lastSector, entries: 2 }), sectorBytes);
  head.set(entries, 2 * sectorBytes);
  const tail = new Uint8Array(tailBytes(sectorBytes));
  tail.set(entries);
  const entriesAt = lastSector - TABLE_BYTES / sectorBytes;
  place(tail, TABLE_BYTES, sealed(header, { own: lastSector, other: 1, entries: entriesAt }), sectorBytes);
  return { ok: true, head, tail };
}

function readCopy(
  headerSector: Uint8Array,
  table: Uint8Array,
): { header: Uint8Array; entries: Uint8Array } | undefined {
  const header = headerSector.slice(0, HEADER_BYTES);
  if (header.length < HEADER_BYTES || String.fromCharCode(...header.subarray(0, 8)) !== 'EFI PART')
    return undefined;
  const fields = view(header);
  const crc = fields.getUint32(FIELD.crc, true);
  fields.setUint32(FIELD.crc, 0, true);
  if (fields.getUint32(12, true) !== HEADER_BYTES || crc32(header) !== crc) return undefined;
  if (fields.getUint32(FIELD.count, true) !== ENTRIES || fields.getUint32(FIELD.size, true) !== ENTRY_BYTES)
    return undefined;
  const entries = table.slice(0, TABLE_BYTES);
  return crc32(entries) === fields.getUint32(FIELD.entriesCrc, true) ? { header, entries } : undefined;
}

function sealed(header: Uint8Array, where: { own: number; other: number; entries: number }): Uint8Array {
  const copy = header.slice();
  setSector(copy, FIELD.own, where.own);
  setSector(copy, FIELD.other, where.other);
  setSector(copy, FIELD.entries, where.entries);
  view(copy).setUint32(FIELD.crc, 0, true);
  view(copy).setUint32(FIELD.crc, crc32(copy), true);
  return copy;
}

/** The rest of a header's sector is zero. */
function place(target: Uint8Array, offset: number, header: Uint8Array, sectorBytes: number): void {
  target.fill(0, offset, offset + sectorBytes);
  target.set(header, offset);
}

/** The protective partition of the MBR covers the disk, or as much as 32 bits say. */
function setProtectiveSize(head: Uint8Array, lastSector: number): void {
  if (head[450] === 0xee) view(head).setUint32(458, Math.min(lastSector, 0xffffffff), true);
}

function eachEntry(entries: Uint8Array, visit: (entry: Uint8Array) => void): void {
  for (let index = 0; index < ENTRIES; index += 1) {
    const entry = entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    if (entry.subarray(0, 16).some((byte) => byte !== 0)) visit(entry);
  }
}

function lastEntry(entries: Uint8Array): Uint8Array | undefined {
  let last: Uint8Array | undefined;
  eachEntry(entries, (entry) => {
    if (last === undefined || sector(entry, 32) > sector(last, 32)) last = entry;
  });
  return last;
}

function partitionName(entry: Uint8Array): string {
  let name = '';
  for (let offset = 56; offset < ENTRY_BYTES; offset += 2) {
    const unit = view(entry).getUint16(offset, true);
    if (unit === 0) break;
    name += String.fromCharCode(unit);
  }
  return name;
}

/** 16 bytes; the first three groups are little-endian. */
function guidBytes(guid: string): Uint8Array {
  const hex = guid.replaceAll('-', '');
  const byte = (index: number): number => parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(byte));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function sector(bytes: Uint8Array, offset: number): number {
  return Number(view(bytes).getBigUint64(offset, true));
}

function setSector(bytes: Uint8Array, offset: number, value: number): void {
  view(bytes).setBigUint64(offset, BigInt(value), true);
}
