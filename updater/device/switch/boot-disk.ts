/**
 * Everything that the switch protocol can do to a machine, one durable primitive each; nothing else in this folder touches a disk. Two
 * implementations: machine-disk.ts (the machine) and those of the tests, which cut the power between any two of these calls.
 *
 * What a caller may rely on, and the tests simulate at the level of sectors:
 *
 * - A write is durable once the matching `sync...` or `flush...` returned. Before that, any part of it may be on the medium or not, in any order,
 *   in units of one sector (512 bytes), which is never torn itself.
 * - `dropCaches` makes later reads come from the medium. It is no barrier: what was not synced before may be lost.
 * - The end of `withEsp` unmounts. It is no barrier either.
 */
import type { SlotName } from './facts.ts';

export interface BootDisk {
  /** Mounts the EFI system partition for as long as `body` runs; calls do not nest. Throws `switch.esp` when it cannot be mounted for writing. */
  withEsp<Result>(body: (esp: Esp) => Promise<Result>): Promise<Result>;

  /** The first 512 bytes of a slot's verity partition, from the medium. */
  readSuperblock(slot: SlotName): Promise<Uint8Array>;
  /** One sector. Durable after `flushSlot`. */
  writeSuperblock(slot: SlotName, bytes: Uint8Array): Promise<void>;
  /** Flushes all that was written to the slot's two partitions, and forgets what is cached of them. */
  flushSlot(slot: SlotName): Promise<void>;

  /** The whole update record (record.ts); `undefined` when there is no such file. */
  readRecord(): Promise<Uint8Array | undefined>;
  /** Overwrites a part of it in place: no space is needed. Durable after `flushRecord`. */
  writeRecord(offset: number, bytes: Uint8Array): Promise<void>;
  flushRecord(): Promise<void>;
  /** Makes the file, full of zeros, and flushes it with its directory. Throws `switch.record` where the state partition takes no more. */
  createRecord(sizeBytes: number): Promise<void>;

  /** An EFI variable without its attributes; `undefined` when it is not there. */
  readVariable(variable: EfiVariable): Promise<Uint8Array | undefined>;
  /** Durable when it returns: the firmware sees to that. Throws `switch.variable` when the firmware refuses. */
  writeVariable(
    variable: EfiVariable,
    bytes: Uint8Array,
    options?: { readonly attributes?: number },
  ): Promise<void>;
  removeVariable(variable: EfiVariable): Promise<void>;

  /** Called after each step of the protocol with its label: where tests cut the power. */
  reached(label: string): Promise<void>;
}

/** The EFI system partition while it is mounted. Paths are relative to its root: `EFI/Linux/x.efi`. What cannot be done throws `switch.esp`. */
export interface Esp {
  /** Files and directories of a directory; empty when there is none. */
  list(directory: string): Promise<readonly EspEntry[]>;
  /** A small file (at most 1 MiB); `undefined` when it is not there. */
  read(path: string): Promise<Uint8Array | undefined>;
  /** SHA-256 of a file of any size, in hexadecimal digits; `undefined` when it is not there or cannot be read. */
  digest(path: string): Promise<string | undefined>;
  freeBytes(): Promise<number>;
  makeDirectory(path: string): Promise<void>;
  /** Makes a file or replaces its content. Removes it again when that fails. */
  write(path: string, content: Uint8Array | FileProducer): Promise<void>;
  /** Content, length and place of the file. */
  syncFile(path: string): Promise<void>;
  /** Names in the directory, of those that came and of those that went. */
  syncDirectory(path: string): Promise<void>;
  /**
   * As vfat does it, that is: not atomic. Until both directories are synced, the medium may show the old name, the new one, both (of one
   * and the same content: freeing one would free the other's) or neither. Where `to` exists already, with a name that is
   * durable, only the one sector that says where its content lies is written there: its name can't be torn. What it held before is freed; a UKI's
   * new name is always that of an empty file.
   */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  dropCaches(): Promise<void>;
}

export interface EspEntry {
  readonly name: string;
  readonly kind: 'file' | 'directory';
  readonly sizeBytes: number;
}

/** Writes a file of the ESP that is too large for memory. `outputPath` is where; `locate` says where another file of the ESP can be read meanwhile. */
export type FileProducer = (outputPath: string, locate: (path: string) => string) => Promise<void>;

export interface EfiVariable {
  readonly name: string;
  /** Vendor GUID in lower case. */
  readonly vendor: string;
}

/** Vendors of variables: systemd-boot's, the firmware's own, and those of its signature databases (UEFI specification, 3.3 and 32.4). */
export const VENDORS = {
  loader: '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f',
  firmware: '8be4df61-93ca-11d2-aa0d-00e098032b8c',
  signatures: 'd719b2cb-3d3a-4596-a3bc-dad00e67656f',
  slipway: '5c1b7c3e-7d0b-4a35-8b0f-2f5d6a1e0c57',
} as const;
