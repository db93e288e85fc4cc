/** A BootDisk in memory, which keeps everything: for what the protocol does. What is left of it after a power cut is tested in test/updater/power. */
/* eslint-disable @typescript-eslint/require-await -- an interface of promises, answered at once */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BootDisk, EfiVariable, Esp } from '../../../../updater/device/switch/boot-disk.ts';
import type { RunningVersion, SlotName } from '../../../../updater/device/switch/facts.ts';
import { decodeRecord } from '../../../../updater/device/switch/record.ts';
import type { UpdateRecord } from '../../../../updater/device/switch/record-content.ts';
import { makeSuperblock } from '../../../../updater/device/switch/superblock.ts';
import type { ReleaseManifest } from '../../../../updater/release/document.ts';
import { SlipwayError } from '../../../../spec/error.ts';

export interface MemoryDisk extends BootDisk {
  /** Path to content; paths as they were given, found without regard to case. */
  readonly files: Map<string, Uint8Array>;
  readonly superblocks: Record<SlotName, Uint8Array>;
  readonly variables: Map<string, Uint8Array>;
  /** Labels that were reached, and durable calls, in order. */
  readonly calls: string[];
  record: Uint8Array | undefined;
  /** Names in EFI/Linux, sorted. */
  readonly names: () => string[];
  readonly remembered: () => UpdateRecord;
  /** Throws PowerCut behind this label. */
  cutAt: string | undefined;
  readOnly: boolean;
  freeBytes: number;
  /** The state partition takes nothing more. */
  stateFull: boolean;
}

export class PowerCut extends Error {}

export function memoryDisk(files: Readonly<Record<string, string>> = {}): MemoryDisk {
  const content = new Map(
    Object.entries(files).map(([path, text]) => [path, Buffer.from(text) as Uint8Array]),
  );
  const find = (path: string): string | undefined =>
    [...content.keys()].find((known) => known.toLowerCase() === path.toLowerCase());
  const key = ({ name, vendor }: EfiVariable): string => `${name}-${vendor}`;

  const writable = (): void => {
    if (disk.readOnly) throw new SlipwayError('switch.esp', 'read-only file system');
  };
  const esp: Esp = {
    list: async (directory) => {
      const prefix = directory === '' ? '' : `${directory.toLowerCase()}/`;
      return [...content].flatMap(([path, bytes]) =>
        path.toLowerCase().startsWith(prefix) && !path.slice(prefix.length).includes('/')
          ? [{ name: path.slice(prefix.length), kind: 'file' as const, sizeBytes: bytes.length }]
          : [],
      );
    },
    read: async (path) => content.get(find(path) ?? ''),
    digest: async (path) => {
      const bytes = content.get(find(path) ?? '');
      return bytes === undefined ? undefined : sha256(bytes);
    },
    freeBytes: async () => disk.freeBytes,
    makeDirectory: async () => undefined,
    write: async (path, produced) => {
      writable();
      disk.calls.push(`write ${path}`);
      if (typeof produced !== 'function') return void content.set(find(path) ?? path, produced);
      // A producer of these tests leaves its bytes in a real file.
      const directory = mkdtempSync(join(tmpdir(), 'slipway-esp-'));
      try {
        const output = join(directory, 'output');
        await produced(output, (other) => {
          const source = join(directory, 'source');
          writeFileSync(source, content.get(find(other) ?? '')!);
          return source;
        });
        content.set(find(path) ?? path, readFileSync(output));
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
    syncFile: async (path) => void disk.calls.push(`sync ${path}`),
    syncDirectory: async (path) => void disk.calls.push(`sync ${path}/`),
    rename: async (from, to) => {
      writable();
      const source = find(from);
      if (source === undefined) throw new SlipwayError('switch.esp', `no ${from}`);
      const bytes = content.get(source)!;
      const target = content.get(find(to) ?? '');
      if (to.startsWith('EFI/Linux/') && target !== undefined && target.length > 0)
        throw new Error(`${to} was overwritten`);
      content.delete(source);
      content.set(find(to) ?? to, bytes);
      disk.calls.push(`rename ${from} ${to}`);
    },
    remove: async (path) => {
      writable();
      const found = find(path);
      if (found === undefined) throw new SlipwayError('switch.esp', `no ${path}`);
      content.delete(found);
      disk.calls.push(`remove ${path}`);
    },
    dropCaches: async () => undefined,
  };

  const disk: MemoryDisk = {
    files: content,
    superblocks: { a: new Uint8Array(512), b: new Uint8Array(512) },
    variables: new Map(),
    calls: [],
    record: undefined,
    cutAt: undefined,
    readOnly: false,
    freeBytes: 1_000_000_000,
    stateFull: false,
    names: () =>
      [...content.keys()]
        .filter((path) => path.startsWith('EFI/Linux/'))
        .map((path) => path.slice(10))
        .sort(),
    remembered: () => decodeRecord(disk.record).record,

    withEsp: (body) => body(esp),
    readSuperblock: async (slot) => disk.superblocks[slot],
    writeSuperblock: async (slot, bytes) => {
      disk.superblocks[slot] = bytes;
      disk.calls.push(`superblock ${slot}`);
    },
    flushSlot: async (slot) => void disk.calls.push(`flush ${slot}`),
    readRecord: async () => disk.record?.slice(),
    writeRecord: async (offset, bytes) => {
      disk.record!.set(bytes, offset);
      disk.calls.push('record');
    },
    flushRecord: async () => void disk.calls.push('flush record'),
    createRecord: async (sizeBytes) => {
      if (disk.stateFull) throw new SlipwayError('switch.record', 'no space left');
      disk.record = new Uint8Array(sizeBytes);
    },
    readVariable: async (variable) => disk.variables.get(key(variable)),
    writeVariable: async (variable, bytes) => void disk.variables.set(key(variable), bytes),
    removeVariable: async (variable) => void disk.variables.delete(key(variable)),
    reached: async (label) => {
      disk.calls.push(`[${label}]`);
      if (label === disk.cutAt) throw new PowerCut(label);
    },
  };
  return disk;
}

export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Content of the UKI of a version, in these tests. */
export function ukiOf(version: string): string {
  return `uki of ${version}`.padEnd(600);
}

export function rootHashOf(version: string): string {
  return sha256(`root of ${version}`);
}

export function manifestOf(version: string, change: Partial<ReleaseManifest> = {}): ReleaseManifest {
  const payload = {
    sha256: sha256('payload'),
    sizeBytes: 100,
    headerBytes: 10,
    headerSha256: sha256('header'),
  };
  return {
    format: '1.0',
    requires: [],
    image: 'minimal',
    version,
    architecture: 'amd64',
    notes: '',
    epoch: 1_700_000_000,
    stateVersion: 1,
    minMemoryMiB: 256,
    layoutVersions: [1],
    root: {
      sizeBytes: 4096 * 100,
      sha256: sha256('root'),
      rootHash: rootHashOf(version),
      salt: sha256('salt'),
      full: payload,
      blockList: { sha256: sha256('list'), sizeBytes: 3200 },
      deltas: [],
    },
    uki: {
      sizeBytes: ukiOf(version).length,
      sha256: sha256(ukiOf(version)),
      full: payload,
      deltas: [],
      signer: { leaf: sha256('leaf'), leafTbs: sha256('tbs'), issuer: sha256('issuer') },
    },
    ...change,
  };
}

export function runningVersion(version: string, slot: SlotName = 'a', trial = false): RunningVersion {
  return { image: 'minimal', version, architecture: 'amd64', rootHash: rootHashOf(version), slot, trial };
}

/** A machine on 1.0.0 in slot A, committed; slot B holds what `before` says. */
export function machineOn(version: string, before?: string): MemoryDisk {
  const disk = memoryDisk({
    'EFI/BOOT/BOOTX64.EFI': 'loader',
    'loader/loader.conf': 'timeout 0',
    [`EFI/Linux/minimal_${version}.efi`]: ukiOf(version),
    ...(before === undefined ? {} : { [`EFI/Linux/minimal_${before}.efi`]: ukiOf(before) }),
  });
  disk.superblocks.a = makeSuperblock(manifestOf(version).root);
  if (before !== undefined) disk.superblocks.b = makeSuperblock(manifestOf(before).root);
  return disk;
}
