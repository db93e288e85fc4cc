/** Partition tables as bytes: reads either kind, writes either kind. GPT by UEFI 2.10, chapter 5; MBR as everybody knows it. Pure. */
import { newGpt, type Piece } from '../../partition/gpt.ts';
import type { TableAction } from '../plan/step.ts';

export interface TableEntry {
  readonly number: number;
  readonly startSector: number;
  readonly sectors: number;
  readonly type: string;
}

export interface FoundTable {
  readonly kind: 'gpt' | 'mbr';
  readonly id: string;
  readonly partitions: readonly TableEntry[];
}

const ENTRIES = 128;
const ENTRY_BYTES = 128;
const TABLE_BYTES = ENTRIES * ENTRY_BYTES;
const HEADER_BYTES = 92;
const MBR_ENTRIES = 446;

/** How much of a disk's start has to be read. */
export function tableHeadBytes(sectorBytes: number): number {
  return 2 * sectorBytes + TABLE_BYTES;
}

/** `undefined`: there is none. A broken GPT whose protective MBR stands is one without partitions: somebody's data. */
export function readTable(head: Uint8Array, sectorBytes: number): FoundTable | undefined {
  if (head[510] !== 0x55 || head[511] !== 0xaa) return undefined;
  const entries = [0, 1, 2, 3].map((index) =>
    head.subarray(MBR_ENTRIES + 16 * index, MBR_ENTRIES + 16 * (index + 1)),
  );
  // A boot sector of FAT or NTFS ends the same way, and has code where the entries would be.
  if (entries.some((entry) => entry[0] !== 0 && entry[0] !== 0x80)) return undefined;
  if (entries.some((entry) => entry[4] === 0xee)) return readGpt(head, sectorBytes);
  const used = entries.flatMap((entry, index): TableEntry[] => {
    const view = viewOf(entry);
    const sectors = view.getUint32(12, true);
    if (entry[4] === 0 || sectors === 0) return [];
    const type = (entry[4] ?? 0).toString(16).padStart(2, '0');
    return [{ number: index + 1, startSector: view.getUint32(8, true), sectors, type }];
  });
  if (used.length === 0 && head.subarray(0, 440).some((byte) => byte !== 0)) return undefined;
  return {
    kind: 'mbr',
    id: viewOf(head).getUint32(440, true).toString(16).padStart(8, '0'),
    partitions: used,
  };
}

/**
 * What is to be written, in order, each flushed before the next: a cut leaves no table at all, or a whole one. `random`: 16 bytes for each
 * partition and for the disk.
 */
export function tableBytes(action: TableAction, random: (count: number) => Uint8Array): readonly Piece[] {
  return action.table === 'gpt' ? newGpt(action, random) : mbrBytes(action, random);
}

function readGpt(head: Uint8Array, sectorBytes: number): FoundTable {
  const header = head.subarray(sectorBytes, sectorBytes + HEADER_BYTES);
  const none: FoundTable = { kind: 'gpt', id: '', partitions: [] };
  if (String.fromCharCode(...header.subarray(0, 8)) !== 'EFI PART') return none;
  const table = head.subarray(2 * sectorBytes, 2 * sectorBytes + TABLE_BYTES);
  const partitions: TableEntry[] = [];
  for (let index = 0; index < ENTRIES; index += 1) {
    const entry = table.subarray(index * ENTRY_BYTES, (index + 1) * ENTRY_BYTES);
    const type = guidAt(entry, 0);
    if (/^[0-]*$/.test(type)) continue;
    const startSector = Number(viewOf(entry).getBigUint64(32, true));
    const last = Number(viewOf(entry).getBigUint64(40, true));
    partitions.push({ number: index + 1, startSector, sectors: last - startSector + 1, type });
  }
  return { kind: 'gpt', id: guidAt(header, 56), partitions };
}

function mbrBytes({ partitions }: TableAction, random: (count: number) => Uint8Array): readonly Piece[] {
  const sector = new Uint8Array(512);
  sector.set(random(4), 440);
  partitions.forEach(({ start, sectors, type }, index) => {
    const at = MBR_ENTRIES + 16 * index;
    // Cylinders, heads, sectors: beyond what they can say, for all.
    sector.set([0, 0xfe, 0xff, 0xff, Number.parseInt(type, 16), 0xfe, 0xff, 0xff], at);
    viewOf(sector).setUint32(at + 8, start, true);
    viewOf(sector).setUint32(at + 12, sectors, true);
  });
  sector.set([0x55, 0xaa], 510);
  return [{ offset: 0, bytes: sector }];
}

/** The first three groups are little-endian. */
const GUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];

function guidAt(bytes: Uint8Array, at: number): string {
  const hex = GUID_ORDER.map((index) => (bytes[at + index] ?? 0).toString(16).padStart(2, '0')).join('');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
