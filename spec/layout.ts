/**
 * Disk layout 1. Machines in the field carry it for ever: a test pins each number, and only a new layout version may differ.
 *
 * Type GUIDs: UAPI Discoverable Partitions Specification; that of `slipway-state` and `slipway-reserved` are our own.
 */
import type { Architecture } from './image.ts';

export const LAYOUT_VERSION = 1;
export const ALIGNMENT_BYTES = 4 * 1024 * 1024;
/** Block size of the root file system, its verity tree and the state file system, whatever the disk's sectors are. */
export const BLOCK_BYTES = 4096;

const MIB = 1024 * 1024;

export type PartitionName =
  'esp' | 'root-a' | 'verity-a' | 'root-b' | 'verity-b' | 'slipway-reserved' | 'slipway-state';

export interface Partition {
  /** GPT partition name (PARTLABEL). */
  readonly name: PartitionName;
  readonly sizeBytes: number;
  readonly typeGuid: (architecture: Architecture) => string;
}

export const RESERVED_TYPE_GUID = '7a1c5b6e-5f0d-4c55-9d0a-511b3a7e0001';
export const STATE_TYPE_GUID = '7a1c5b6e-5f0d-4c55-9d0a-511b3a7e0002';

const ESP_TYPE_GUID = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const ROOT_TYPE_GUID: Record<Architecture, string> = {
  amd64: '4f68bce3-e8cd-4db1-96e7-fbcaf984b709',
  arm64: 'b921b045-1df0-41c3-af44-4c6f280d3fae',
};
const VERITY_TYPE_GUID: Record<Architecture, string> = {
  amd64: '2c7357ed-ebd2-46d9-aec1-23d437ec2bf5',
  arm64: 'df3300ce-d69f-4c92-978c-9bfb0f38d820',
};

/** In disk order. State comes last, so that it can grow to the end of the disk. */
export const PARTITIONS: readonly Partition[] = [
  { name: 'esp', sizeBytes: 1024 * MIB, typeGuid: () => ESP_TYPE_GUID },
  { name: 'root-a', sizeBytes: 1024 * MIB, typeGuid: (architecture) => ROOT_TYPE_GUID[architecture] },
  { name: 'verity-a', sizeBytes: 64 * MIB, typeGuid: (architecture) => VERITY_TYPE_GUID[architecture] },
  { name: 'root-b', sizeBytes: 1024 * MIB, typeGuid: (architecture) => ROOT_TYPE_GUID[architecture] },
  { name: 'verity-b', sizeBytes: 64 * MIB, typeGuid: (architecture) => VERITY_TYPE_GUID[architecture] },
  { name: 'slipway-reserved', sizeBytes: 64 * MIB, typeGuid: () => RESERVED_TYPE_GUID },
  { name: 'slipway-state', sizeBytes: 64 * MIB, typeGuid: () => STATE_TYPE_GUID },
];
