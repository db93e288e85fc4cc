/** The partition table of a disk that is installed anew: layout 1, state to the end, GUIDs of its own (decisions.md 3, 10). UEFI 2.10, 5.3. */
import { crc32 } from '../../spec/crc32.ts';
import type { Architecture } from '../../spec/image.ts';
import { ALIGNMENT_BYTES, PARTITIONS, type PartitionName } from '../../spec/layout.ts';
import type { SectorBytes } from './facts.ts';

export interface PlacedPartition {
  readonly name: PartitionName;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface NewTable {
  /** In disk order. */
  readonly partitions: readonly PlacedPartition[];
  /** Protective MBR, header, entries: from the first byte of the disk. */
  readonly head: Uint8Array;
  /** The copy, and where it starts. */
  readonly tail: Uint8Array;
  readonly tailOffset: number;
}

const ENTRIES = 128;
const ENTRY_BYTES = 128;
const TABLE_BYTES = ENTRIES * ENTRY_BYTES;
const HEADER_BYTES = 92;
const GUID_BYTES = 16;

/** Room for every partition of the layout, and the table's copy behind them. */
export const LEAST_DISK_BYTES =
  PARTITIONS.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) + 2 * ALIGNMENT_BYTES;

/** `random`: 16 bytes for each partition and the disk. */
export function newTable(
  architecture: Architecture,
  disk: { readonly sizeBytes: number; readonly sectorBytes: SectorBytes },
  random: (count: number) => Uint8Array,
): NewTable {
  const { sectorBytes } = disk;
  const lastSector = Math.floor(disk.sizeBytes / sectorBytes) - 1;
  const tableSectors = TABLE_BYTES / sectorBytes;
  const usableBytes = (lastSector - tableSectors) * sectorBytes;
  const partitions = place(usableBytes);
  const entries = new Uint8Array(TABLE_BYTES);
  partitions.forEach(({ name, offsetBytes, sizeBytes }, index) => {
    const entry = new DataView(entries.buffer, index * ENTRY_BYTES, ENTRY_BYTES);
    const bytes = entries.subarray(index * ENTRY_BYTES);
    const type = PARTITIONS.find((partition) => partition.name === name)?.typeGuid(architecture) ?? '';
    bytes.set(guidBytes(type), 0);
    bytes.set(randomGuid(random), GUID_BYTES);
    entry.setBigUint64(32, BigInt(offsetBytes / sectorBytes), true);
    entry.setBigUint64(40, BigInt((offsetBytes + sizeBytes) / sectorBytes - 1), true);
    [...name].forEach((letter, place) => entry.setUint16(56 + 2 * place, letter.charCodeAt(0), true));
  });
  const guid = randomGuid(random);
  const header = (own: number, other: number, entriesAt: number): Uint8Array => {
    const bytes = new Uint8Array(sectorBytes);
    const fields = new DataView(bytes.buffer);
    [...'EFI PART'].forEach((letter, at) => fields.setUint8(at, letter.charCodeAt(0)));
    fields.setUint32(8, 0x00010000, true);
    fields.setUint32(12, HEADER_BYTES, true);
    fields.setBigUint64(24, BigInt(own), true);
    fields.setBigUint64(32, BigInt(other), true);
    fields.setBigUint64(40, BigInt(2 + tableSectors), true);
    fields.setBigUint64(48, BigInt(lastSector - tableSectors - 1), true);
    bytes.set(guid, 56);
    fields.setBigUint64(72, BigInt(entriesAt), true);
    fields.setUint32(80, ENTRIES, true);
    fields.setUint32(84, ENTRY_BYTES, true);
    fields.setUint32(88, crc32(entries), true);
    fields.setUint32(16, crc32(bytes.subarray(0, HEADER_BYTES)), true);
    return bytes;
  };
  const head = new Uint8Array(2 * sectorBytes + TABLE_BYTES);
  head.set(protectiveMbr(lastSector));
  head.set(header(1, lastSector, 2), sectorBytes);
  head.set(entries, 2 * sectorBytes);
  const tail = new Uint8Array(TABLE_BYTES + sectorBytes);
  tail.set(entries);
  tail.set(header(lastSector, 1, lastSector - tableSectors), TABLE_BYTES);
  return { partitions, head, tail, tailOffset: (lastSector - tableSectors) * sectorBytes };
}

/** As /init grows it: to the last boundary before the table's copy. */
function place(usableBytes: number): readonly PlacedPartition[] {
  let offsetBytes = ALIGNMENT_BYTES;
  return PARTITIONS.map(({ name, sizeBytes: own }) => {
    const rest = Math.floor(usableBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES - offsetBytes;
    const placed = { name, offsetBytes, sizeBytes: name === 'slipway-state' ? rest : own };
    offsetBytes += placed.sizeBytes;
    return placed;
  });
}

function protectiveMbr(lastSector: number): Uint8Array {
  const bytes = new Uint8Array(512);
  const fields = new DataView(bytes.buffer);
  bytes.set([0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff], 446);
  fields.setUint32(454, 1, true);
  fields.setUint32(458, Math.min(lastSector, 0xffffffff), true);
  fields.setUint16(510, 0xaa55, true);
  return bytes;
}

/** Version 4, RFC 9562; in the order of bytes that a table has. */
function randomGuid(random: (count: number) => Uint8Array): Uint8Array {
  const bytes = random(GUID_BYTES).slice();
  bytes[7] = ((bytes[7] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes;
}

function guidBytes(guid: string): Uint8Array {
  const hex = guid.replaceAll('-', '');
  const byte = (index: number): number => parseInt(hex.slice(index * 2, index * 2 + 2), 16);
  return Uint8Array.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(byte));
}
