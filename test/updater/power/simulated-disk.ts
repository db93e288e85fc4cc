/** BootDisk over sectors that a power cut may lose. */
/* eslint-disable @typescript-eslint/require-await -- an interface of promises, answered at once */
import type { BootDisk, EfiVariable, Esp } from '../../../updater/device/switch/boot-disk.ts';
import { RECORD_BYTES } from '../../../updater/device/switch/record.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { CLUSTER_BYTES, fatShape } from './fat-shape.ts';
import {
  flushSectors,
  patchSector,
  readSector,
  SECTOR_BYTES,
  writeAllInodes,
  type Random,
} from './medium.ts';
import {
  appendFile,
  createFile,
  FatError,
  findNode,
  freeClusters,
  listDirectory,
  makeDirectory,
  readNode,
  removeFile,
  renameFile,
  syncDirectory,
  syncFile,
  type Vfat,
} from './vfat.ts';
import { digestOf, region, ROOT_SECTORS, TREE_SECTORS, type World } from './world.ts';

export interface SimulatedDisk extends BootDisk {
  /** A part of a file that a FileProducer writes. */
  readonly append: (path: string, bytes: Uint8Array) => Promise<void>;
}

/** `tick` is called behind each change: it may keep a copy of the world, or throw PowerCut. */
export function simulatedDisk(
  world: World,
  tick: (what: string) => Promise<void> | void,
  random: Random,
): SimulatedDisk {
  const mounted = (): Vfat => ({
    medium: world.medium,
    shape: fatShape(world.clusters),
    // Where vfat goes on is chance; where it begins anew, what was freed last is taken first.
    nextFree: random() < 0.5 ? 3 : 3 + Math.floor(random() * world.clusters),
  });
  let fat = mounted();
  const attempt = <T>(body: () => T): T => {
    try {
      return body();
    } catch (error) {
      if (error instanceof FatError)
        throw new SlipwayError('switch.esp', `the boot partition: ${error.message}`);
      throw error;
    }
  };

  const esp: Esp = {
    list: async (directory) =>
      (listDirectory(fat, directory) ?? []).map(({ name, isDirectory, sizeBytes }) => ({
        name,
        kind: isDirectory ? 'directory' : 'file',
        sizeBytes,
      })),
    read: async (path) => {
      const node = findNode(fat, path);
      return node === undefined ? undefined : readNode(fat, node);
    },
    digest: async (path) => {
      const node = findNode(fat, path);
      const bytes = node === undefined || node.isDirectory ? undefined : readNode(fat, node);
      return bytes === undefined ? undefined : digestOf(bytes);
    },
    freeBytes: async () => freeClusters(fat) * CLUSTER_BYTES,
    makeDirectory: async (path) => {
      attempt(() => makeDirectory(fat, path));
      await tick(`mkdir ${path}`);
    },
    write: async (path, bytes) => {
      attempt(() => createFile(fat, path));
      await tick(`create ${path}`);
      try {
        if (typeof bytes === 'function') await bytes(path, (other) => other);
        else if (bytes.length > 0) await disk.append(path, bytes);
      } catch (error) {
        if (error instanceof SlipwayError) removeFile(fat, path);
        throw error;
      }
    },
    syncFile: async (path) => {
      attempt(() => syncFile(fat, path));
      await tick(`sync ${path}`);
    },
    syncDirectory: async (path) => {
      attempt(() => syncDirectory(fat, path));
      await tick(`sync ${path}/`);
    },
    rename: async (from, to) => {
      attempt(() => renameFile(fat, from, to));
      await tick(`rename ${from} ${to}`);
    },
    remove: async (path) => {
      attempt(() => removeFile(fat, path));
      await tick(`remove ${path}`);
    },
    dropCaches: async () => {
      writeAllInodes(world.medium);
      fat = mounted();
    },
  };

  const disk: SimulatedDisk = {
    append: async (path, bytes) => {
      for (let at = 0; at < bytes.length; at += CLUSTER_BYTES) {
        attempt(() => appendFile(fat, path, bytes.subarray(at, at + CLUSTER_BYTES)));
        await tick(`append ${path}`);
      }
    },
    withEsp: async (body) => {
      if (world.espReadOnly)
        throw new SlipwayError(
          'switch.esp',
          'the boot partition: it cannot be mounted (read-only file system)',
        );
      fat = mounted();
      try {
        return await body(esp);
      } finally {
        writeAllInodes(world.medium);
      }
    },
    readSuperblock: async (slot) => readSector(world.medium, region(`tree-${slot}`)),
    writeSuperblock: async (slot, bytes) => {
      patchSector(world.medium, region(`tree-${slot}`), 0, bytes);
      await tick(`superblock ${slot}`);
    },
    flushSlot: async (slot) => {
      flushSectors(world.medium, range(region(`data-${slot}`), ROOT_SECTORS));
      flushSectors(world.medium, range(region(`tree-${slot}`), TREE_SECTORS + 1));
      await tick(`flush slot ${slot}`);
    },
    readRecord: async () => recordBytes(world),
    writeRecord: async (offset, bytes) => {
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES)
        patchSector(
          world.medium,
          region('record') + (offset + at) / SECTOR_BYTES,
          0,
          bytes.subarray(at, at + SECTOR_BYTES),
        );
      await tick('write record');
    },
    flushRecord: async () => {
      flushSectors(world.medium, range(region('record'), RECORD_SECTORS));
      await tick('flush record');
    },
    createRecord: async (sizeBytes) => {
      if (world.stateFull || sizeBytes !== RECORD_BYTES)
        throw new SlipwayError('switch.record', 'the state partition does not take the update record');
      // A temporary file, flushed and renamed: it is there or not.
      for (const sector of range(region('record'), RECORD_SECTORS))
        if (world.recordExists) patchSector(world.medium, sector, 0, new Uint8Array(SECTOR_BYTES));
      flushSectors(world.medium, range(region('record'), RECORD_SECTORS));
      world.recordExists = true;
      await tick('create record');
    },
    readVariable: async (variable) => world.variables.get(keyOf(variable)),
    writeVariable: async (variable, bytes) => {
      world.variables = new Map([...world.variables, [keyOf(variable), bytes]]);
      await tick(`variable ${variable.name}`);
    },
    removeVariable: async (variable) => {
      if (!world.variables.has(keyOf(variable))) return;
      world.variables = new Map([...world.variables].filter(([key]) => key !== keyOf(variable)));
      await tick(`no variable ${variable.name}`);
    },
    reached: async () => undefined,
  };
  return disk;
}

/** `undefined` where there is none. */
export function recordBytes({ medium, recordExists }: World): Uint8Array | undefined {
  if (!recordExists) return undefined;
  const bytes = new Uint8Array(RECORD_BYTES);
  for (let index = 0; index < RECORD_SECTORS; index++)
    if (medium.pending.has(region('record') + index) || medium.durable.has(region('record') + index))
      bytes.set(readSector(medium, region('record') + index), index * SECTOR_BYTES);
  return bytes;
}

const RECORD_SECTORS = RECORD_BYTES / SECTOR_BYTES;

export function keyOf({ name, vendor }: EfiVariable): string {
  return `${name}-${vendor}`;
}

function range(start: number, count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => start + index);
}
