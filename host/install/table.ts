/** The partition table of a disk that is installed anew: layout 1, state to the end, GUIDs of its own (decisions.md 3, 10). */
import type { Architecture } from '../../spec/image.ts';
import { ALIGNMENT_BYTES, PARTITIONS, type PartitionName } from '../../spec/layout.ts';
import { newGpt, usableEnd, type Piece } from '../partition/gpt.ts';
import type { SectorBytes } from './facts.ts';

export interface PlacedPartition {
  readonly name: PartitionName;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

export interface NewTable {
  /** In disk order. */
  readonly partitions: readonly PlacedPartition[];
  /** The copy at the end, and then the table. */
  readonly backup: Piece;
  readonly primary: Piece;
}

/** Room for every partition of the layout, and the table's copy behind them. */
export const LEAST_DISK_BYTES =
  PARTITIONS.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) + 2 * ALIGNMENT_BYTES;

/** `random`: 16 bytes for each partition and the disk. */
export function newTable(
  architecture: Architecture,
  disk: { readonly sizeBytes: number; readonly sectorBytes: SectorBytes },
  random: (count: number) => Uint8Array,
): NewTable {
  const { sectorBytes, sizeBytes: diskBytes } = disk;
  const partitions = place(usableEnd(diskBytes, sectorBytes));
  const entries = PARTITIONS.map(({ name, typeGuid }, index) => {
    const { offsetBytes = 0, sizeBytes = 0 } = partitions[index] ?? {};
    return {
      name,
      type: typeGuid(architecture),
      start: offsetBytes / sectorBytes,
      sectors: sizeBytes / sectorBytes,
    };
  });
  const [backup, primary] = newGpt({ sectorBytes, diskBytes, partitions: entries }, random);
  return { partitions, backup, primary };
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
