/** A GUID partition table from nothing, as bytes; UEFI 2.10, 5.3. Its GUIDs are random ones. Pure. */
import { crc32 } from '../../spec/crc32.ts';
import { concatenate } from '../../system/bytes.ts';

export interface NewPartition {
  /** In sectors. */
  readonly start: number;
  readonly sectors: number;
  /** GUID. */
  readonly type: string;
  /** ASCII. */
  readonly name?: string;
}

export interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

const ENTRIES = 128;
const ENTRY_BYTES = 128;
const TABLE_BYTES = ENTRIES * ENTRY_BYTES;
const HEADER_BYTES = 92;
const MBR_ENTRIES = 446;
const GUID_BYTES = 16;

/** The first byte behind what partitions may take. */
export function usableEnd(diskBytes: number, sectorBytes: number): number {
  return (Math.floor(diskBytes / sectorBytes) - 1) * sectorBytes - TABLE_BYTES;
}

/** What is to be written, in order, each flushed before the next: the copy at the end, then the table. `random`: 16 bytes for each partition and for the disk. */
export function newGpt(
  disk: {
    readonly sectorBytes: number;
    readonly diskBytes: number;
    readonly partitions: readonly NewPartition[];
  },
  random: (count: number) => Uint8Array,
): readonly [backup: Piece, primary: Piece] {
  const { sectorBytes, diskBytes, partitions } = disk;
  const last = Math.floor(diskBytes / sectorBytes) - 1;
  const tableSectors = TABLE_BYTES / sectorBytes;
  const table = new Uint8Array(TABLE_BYTES);
  partitions.forEach(({ start, sectors, type, name = '' }, index) => {
    const entry = table.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    const view = viewOf(entry);
    entry.set(guidBytes(type));
    entry.set(randomGuid(random), GUID_BYTES);
    view.setBigUint64(32, BigInt(start), true);
    view.setBigUint64(40, BigInt(start + sectors - 1), true);
    [...name].forEach((letter, place) => view.setUint16(56 + 2 * place, letter.charCodeAt(0), true));
  });
  const guid = randomGuid(random);
  const header = (own: number, other: number, entries: number): Uint8Array => {
    const sector = new Uint8Array(sectorBytes);
    const view = viewOf(sector);
    sector.set([...'EFI PART'].map((letter) => letter.charCodeAt(0)));
    view.setUint32(8, 0x0001_0000, true);
    view.setUint32(12, HEADER_BYTES, true);
    view.setBigUint64(24, BigInt(own), true);
    view.setBigUint64(32, BigInt(other), true);
    view.setBigUint64(40, BigInt(2 + tableSectors), true);
    view.setBigUint64(48, BigInt(last - tableSectors - 1), true);
    sector.set(guid, 56);
    view.setBigUint64(72, BigInt(entries), true);
    view.setUint32(80, ENTRIES, true);
    view.setUint32(84, ENTRY_BYTES, true);
    view.setUint32(88, crc32(table), true);
    view.setUint32(16, crc32(sector.subarray(0, HEADER_BYTES)), true);
    return sector;
  };
  const protective = new Uint8Array(sectorBytes);
  protective.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff], MBR_ENTRIES);
  viewOf(protective).setUint32(MBR_ENTRIES + 8, 1, true);
  viewOf(protective).setUint32(MBR_ENTRIES + 12, Math.min(last, 0xffff_ffff), true);
  protective.set([0x55, 0xaa], 510);
  const backup = last - tableSectors;
  return [
    { offset: backup * sectorBytes, bytes: concatenate([table, header(last, 1, backup)]) },
    { offset: 0, bytes: concatenate([protective, header(1, last, 2), table]) },
  ];
}

/** Version 4, RFC 9562; in the order of bytes that a table has. */
function randomGuid(random: (count: number) => Uint8Array): Uint8Array {
  const bytes = random(GUID_BYTES).slice();
  bytes[7] = ((bytes[7] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

/** The first three groups are little-endian. */
function guidBytes(guid: string): Uint8Array {
  const hex = guid.replaceAll('-', '');
  const byte = (index: number): number => parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(byte));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
