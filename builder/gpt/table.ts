/** GUID partition tables (UEFI 2.10, 5): writes both copies, reads and checks either. */
import { SlipwayError } from '../../spec/error.ts';
import { crc32 } from '../../spec/crc32.ts';
import { guidBytes, guidFromBytes } from './guid.ts';

export type SectorSize = 512 | 4096;

export interface GptPartition {
  readonly name: string;
  readonly typeGuid: string;
  readonly guid: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface GptTable {
  readonly sectorSize: SectorSize;
  readonly diskGuid: string;
  readonly diskBytes: number;
  readonly partitions: readonly GptPartition[];
}

const ENTRY_COUNT = 128;
const ENTRY_BYTES = 128;
const TABLE_BYTES = ENTRY_COUNT * ENTRY_BYTES;
const HEADER_BYTES = 92;
const SIGNATURE = Buffer.from('EFI PART', 'latin1');
const UNUSED_TYPE = '00000000-0000-0000-0000-000000000000';
const PROTECTIVE_MBR_TYPE = 0xee;

/** What to write where: protective MBR and primary table at the start, the backup at the end. */
export function encodeGpt(
  table: GptTable,
): readonly { readonly offset: number; readonly bytes: Uint8Array }[] {
  const { sectorSize, diskBytes } = table;
  const lastSector = diskBytes / sectorSize - 1;
  const tableSectors = TABLE_BYTES / sectorSize;
  const entries = encodeEntries(table);
  const geometry = {
    entriesCrc: crc32(entries),
    firstUsable: 2 + tableSectors,
    lastUsable: lastSector - tableSectors - 1,
    diskGuid: table.diskGuid,
  };
  const sector = (bytes: Uint8Array): Uint8Array => {
    const padded = new Uint8Array(sectorSize);
    padded.set(bytes);
    return padded;
  };
  const primary = encodeHeader({ ...geometry, own: 1, other: lastSector, entries: 2 });
  const backup = encodeHeader({ ...geometry, own: lastSector, other: 1, entries: lastSector - tableSectors });
  return [
    { offset: 0, bytes: Buffer.concat([sector(protectiveMbr(lastSector)), sector(primary), entries]) },
    { offset: (lastSector - tableSectors) * sectorSize, bytes: Buffer.concat([entries, sector(backup)]) },
  ];
}

/** Bytes from the start of a disk that hold its primary table, whatever its sector size is. */
export const GPT_HEAD_BYTES = 2 * 4096 + TABLE_BYTES;

/**
 * The primary table in the first bytes of a disk; its sector size is found by trying both. Throws `gpt.invalid` with what is wrong when it is
 * damaged, and returns `undefined` where there is none. A table that is not as we write it (128 entries) is refused.
 */
export function decodeGpt(head: Uint8Array, diskBytes: number): GptTable | undefined {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  for (const sectorSize of [512, 4096] as const) {
    if (bytes.subarray(sectorSize, sectorSize + 8).equals(SIGNATURE)) {
      try {
        return decode(bytes, sectorSize, diskBytes);
      } catch (error) {
        if (error instanceof RangeError) throw invalid('it ends before its entries do');
        throw error;
      }
    }
  }
  return undefined;
}

function decode(bytes: Buffer, sectorSize: SectorSize, diskBytes: number): GptTable {
  const header = Buffer.from(bytes.subarray(sectorSize, sectorSize + HEADER_BYTES));
  const headerBytes = header.readUInt32LE(12);
  if (headerBytes !== HEADER_BYTES) throw invalid(`its header has ${headerBytes} bytes`);
  const headerCrc = header.readUInt32LE(16);
  header.writeUInt32LE(0, 16);
  if (crc32(header) !== headerCrc) throw invalid('the checksum of its header is wrong');
  if (header.readUInt32LE(80) !== ENTRY_COUNT || header.readUInt32LE(84) !== ENTRY_BYTES) {
    throw invalid(`it has ${header.readUInt32LE(80)} entries of ${header.readUInt32LE(84)} bytes`);
  }
  const start = number(header.readBigUInt64LE(72)) * sectorSize;
  if (start + TABLE_BYTES > bytes.length) throw invalid(`its entries stand at ${start}`);
  const entries = bytes.subarray(start, start + TABLE_BYTES);
  if (crc32(entries) !== header.readUInt32LE(88)) throw invalid('the checksum of its entries is wrong');
  const partitions: GptPartition[] = [];
  for (let index = 0; index < ENTRY_COUNT; index++) {
    const entry = entries.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    const typeGuid = guidFromBytes(entry.subarray(0, 16));
    if (typeGuid === UNUSED_TYPE) continue;
    const first = number(entry.readBigUInt64LE(32));
    const last = number(entry.readBigUInt64LE(40));
    const name = entry.subarray(56, 128).toString('utf16le').replace(/\0.*$/s, '');
    if (last < first || (last + 1) * sectorSize > diskBytes) {
      throw invalid(`partition ${JSON.stringify(name)} lies outside of the disk`);
    }
    partitions.push({
      name,
      typeGuid,
      guid: guidFromBytes(entry.subarray(16, 32)),
      offsetBytes: first * sectorSize,
      sizeBytes: (last - first + 1) * sectorSize,
    });
  }
  return { sectorSize, diskGuid: guidFromBytes(header.subarray(56, 72)), diskBytes, partitions };
}

function encodeHeader(header: {
  readonly own: number;
  readonly other: number;
  readonly entries: number;
  readonly entriesCrc: number;
  readonly firstUsable: number;
  readonly lastUsable: number;
  readonly diskGuid: string;
}): Uint8Array {
  const bytes = Buffer.alloc(HEADER_BYTES);
  SIGNATURE.copy(bytes);
  bytes.writeUInt32LE(0x00010000, 8);
  bytes.writeUInt32LE(HEADER_BYTES, 12);
  bytes.writeBigUInt64LE(BigInt(header.own), 24);
  bytes.writeBigUInt64LE(BigInt(header.other), 32);
  bytes.writeBigUInt64LE(BigInt(header.firstUsable), 40);
  bytes.writeBigUInt64LE(BigInt(header.lastUsable), 48);
  bytes.set(guidBytes(header.diskGuid), 56);
  bytes.writeBigUInt64LE(BigInt(header.entries), 72);
  bytes.writeUInt32LE(ENTRY_COUNT, 80);
  bytes.writeUInt32LE(ENTRY_BYTES, 84);
  bytes.writeUInt32LE(header.entriesCrc, 88);
  bytes.writeUInt32LE(crc32(bytes), 16);
  return bytes;
}

function encodeEntries({ partitions, sectorSize }: GptTable): Uint8Array {
  const bytes = Buffer.alloc(TABLE_BYTES);
  partitions.forEach((partition, index) => {
    const entry = bytes.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    const first = partition.offsetBytes / sectorSize;
    entry.set(guidBytes(partition.typeGuid));
    entry.set(guidBytes(partition.guid), 16);
    entry.writeBigUInt64LE(BigInt(first), 32);
    entry.writeBigUInt64LE(BigInt(first + partition.sizeBytes / sectorSize - 1), 40);
    entry.write(partition.name, 56, 72, 'utf16le');
  });
  return bytes;
}

function protectiveMbr(lastSector: number): Uint8Array {
  const bytes = Buffer.alloc(512);
  // One partition of type 0xee over the whole disk: from sector 1, as CHS 0/0/2 to the largest.
  bytes.set([0x00, 0x00, 0x02, 0x00, PROTECTIVE_MBR_TYPE, 0xff, 0xff, 0xff], 446);
  bytes.writeUInt32LE(1, 454);
  bytes.writeUInt32LE(Math.min(lastSector, 0xffffffff), 458);
  bytes.set([0x55, 0xaa], 510);
  return bytes;
}

function number(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER) / 4096n) throw invalid(`it names sector ${value}`);
  return Number(value);
}

function invalid(what: string): SlipwayError {
  return new SlipwayError('gpt.invalid', `the partition table is damaged: ${what}`);
}
