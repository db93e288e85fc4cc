/** The disk image: partition table, EFI system partition, slot a, state. */
import { open, rm, stat, type FileHandle } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { ALIGNMENT_BYTES, LAYOUT_VERSION, PARTITIONS, type PartitionName } from '../../spec/layout.ts';
import { publish, temporaryName } from '../cache/directory.ts';
import type { EspFile } from '../esp/files.ts';
import { writeEsp } from '../esp/write.ts';
import { derivedUuid } from '../gpt/guid.ts';
import { encodeGpt, type GptTable, type SectorSize } from '../gpt/table.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import { copyInto, writeAll } from './copy.ts';

export interface DiskInputs {
  readonly architecture: Architecture;
  /** What every GUID is derived from: name, version and root hash, say. Two images never share it. */
  readonly identity: string;
  readonly esp: readonly EspFile[];
  /** Files for slot a, see `makeErofs` and `makeVerity`. */
  readonly root: string;
  readonly verity: string;
  /** File system of the state partition, which is as large as it; see `makeState`. */
  readonly state: string;
}

export interface DiskOptions {
  readonly toolbox: Toolbox;
  readonly sectorSize: SectorSize;
  /** Seconds since 1970: the time of every file on the ESP. */
  readonly epoch: number;
}

/** Written at the start of `slipway-reserved`, for people and for tools that know no other layout. */
export const LAYOUT_RECORD = `slipway layout ${LAYOUT_VERSION}\n`;

/**
 * Writes a sparse raw disk image. The same inputs give the same bytes, wherever and whenever. Memory stays bounded, whatever the sizes, and what
 * is zero is a hole. Throws `disk.too-large` where a part does not fit its partition.
 */
export async function makeDisk(inputs: DiskInputs, output: string, options: DiskOptions): Promise<void> {
  const stateBytes = (await stat(inputs.state)).size;
  const table = diskTable(inputs.architecture, inputs.identity, options.sectorSize, stateBytes);
  const place = (name: PartitionName): { offsetBytes: number; sizeBytes: number } => {
    const found = table.partitions.find((partition) => partition.name === name);
    if (found === undefined) throw new Error(`layout ${LAYOUT_VERSION} has no ${name}`);
    return found;
  };
  await checkFits(inputs.root, 'root-a', place('root-a').sizeBytes);
  await checkFits(inputs.verity, 'verity-a', place('verity-a').sizeBytes);

  const temporary = temporaryName(output);
  try {
    const disk = await open(temporary, 'wx', 0o644);
    try {
      await disk.truncate(table.diskBytes);
      await writeTable(disk, table);
      await writeEsp(temporary, inputs.esp, {
        ...place('esp'),
        ...options,
        volumeId: derivedUuid('esp', inputs.identity).slice(0, 8),
      });
      await copyInto(disk, inputs.root, place('root-a').offsetBytes);
      await copyInto(disk, inputs.verity, place('verity-a').offsetBytes);
      await copyInto(disk, inputs.state, place('slipway-state').offsetBytes);
      await writeAll(disk, Buffer.from(LAYOUT_RECORD), place('slipway-reserved').offsetBytes);
    } finally {
      await disk.close();
    }
    await publish(temporary, output);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Layout 1 as a partition table; the state partition is as large as what it holds. */
export function diskTable(
  architecture: Architecture,
  identity: string,
  sectorSize: SectorSize,
  stateBytes: number,
): GptTable {
  let offsetBytes = ALIGNMENT_BYTES;
  const partitions = PARTITIONS.map((partition) => {
    const wanted = partition.name === 'slipway-state' ? stateBytes : partition.sizeBytes;
    const placed = {
      name: partition.name,
      typeGuid: partition.typeGuid(architecture),
      guid: derivedUuid('partition', partition.name, identity),
      offsetBytes,
      sizeBytes: Math.ceil(wanted / ALIGNMENT_BYTES) * ALIGNMENT_BYTES,
    };
    offsetBytes += placed.sizeBytes;
    return placed;
  });
  return {
    sectorSize,
    diskGuid: derivedUuid('disk', identity),
    // Room for the backup table, and a size that every hypervisor takes.
    diskBytes: offsetBytes + ALIGNMENT_BYTES,
    partitions,
  };
}

async function writeTable(disk: FileHandle, table: GptTable): Promise<void> {
  for (const { offset, bytes } of encodeGpt(table)) await writeAll(disk, bytes, offset);
}

async function checkFits(path: string, partition: PartitionName, limit: number): Promise<void> {
  const { size } = await stat(path);
  if (size <= limit) return;
  throw new SlipwayError(
    'disk.too-large',
    `${path} has ${size} bytes, but the partition ${partition} of disk layout ${LAYOUT_VERSION} has ${limit}`,
    { hint: 'take something out of the image: machines in the field cannot make room for it' },
  );
}
