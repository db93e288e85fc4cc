/** The boot loader's two copies: after a commit, one after the other, and never the last that works. */
import { describe, expect, test } from 'vitest';
import { VENDORS } from '../../../../updater/device/switch/boot-disk.ts';
import {
  bootOnceThrough,
  isNext,
  keepEntry,
  loadOption,
} from '../../../../updater/device/switch/boot-entry.ts';
import { advanceLoader, mendLoader, type LoaderState } from '../../../../updater/device/switch/loader.ts';
import { memoryDisk, PowerCut, sha256, type MemoryDisk } from './memory-disk.ts';

const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const BOOT = 'EFI/BOOT/BOOTX64.EFI';
const PLACE = { partition: 1, start: 8192, size: 2_097_152, guid: '01234567-89ab-4cde-8f01-23456789abcd' };

function machine(startedThrough: string): MemoryDisk {
  const disk = memoryDisk({ [SYSTEMD]: 'loader 262', [BOOT]: 'loader 262' });
  startThrough(disk, startedThrough);
  return disk;
}

function startThrough(disk: MemoryDisk, path: string): void {
  const text = `\\${path.replaceAll('/', '\\')}\0`;
  disk.variables.set(`LoaderImageIdentifier-${VENDORS.loader}`, Buffer.from(text, 'utf16le'));
  disk.variables.delete(`BootNext-${VENDORS.firmware}`);
}

function advance(disk: MemoryDisk, nextWorks = true, mayTry = true): Promise<LoaderState> {
  return advanceLoader(disk, {
    mayTry: () => Promise.resolve(mayTry),
    architecture: 'amd64',
    sha256: sha256('loader 263'),
    bytes: () => Buffer.from('loader 263'),
    bootOnceThrough: async (path) => {
      if (nextWorks) await bootOnceThrough(disk, PLACE, path);
      return nextWorks;
    },
  });
}

function mend(disk: MemoryDisk): Promise<boolean> {
  return mendLoader(disk, {
    architecture: 'amd64',
    bootOnceThrough: async (path) => {
      await bootOnceThrough(disk, PLACE, path);
      return true;
    },
  });
}

const content = (disk: MemoryDisk, path: string): string => Buffer.from(disk.files.get(path)!).toString();
const nextPath = (disk: MemoryDisk): string | undefined => {
  if (!disk.variables.has(`BootNext-${VENDORS.firmware}`)) return undefined;
  const number = Buffer.from(disk.variables.get(`BootNext-${VENDORS.firmware}`)!).readUInt16LE(0);
  const name = `Boot${number.toString(16).toUpperCase()}`;
  const option = Buffer.from(disk.variables.get(`${name}-${VENDORS.firmware}`)!).toString('utf16le');
  return /\\EFI\\[\w\\.-]+/i.exec(option)?.[0]?.slice(1).replaceAll('\\', '/');
};

describe('a new systemd-boot', () => {
  test('comes beside the one that works, is started once, and then takes its place', async () => {
    const disk = machine(BOOT);
    expect(await advance(disk)).toBe('waiting');
    expect([content(disk, SYSTEMD), content(disk, BOOT)]).toEqual(['loader 263', 'loader 262']);
    expect(nextPath(disk)).toBe(SYSTEMD);
    startThrough(disk, SYSTEMD);
    expect(await advance(disk)).toBe('done');
    expect([content(disk, SYSTEMD), content(disk, BOOT)]).toEqual(['loader 263', 'loader 263']);
    expect(await advance(disk)).toBe('done');
  });

  test('that did not start is tried again, and nothing else is changed', async () => {
    const disk = machine(BOOT);
    await advance(disk);
    startThrough(disk, BOOT);
    expect(await advance(disk)).toBe('waiting');
    expect(content(disk, BOOT)).toBe('loader 262');
    expect(nextPath(disk)).toBe(SYSTEMD);
  });

  test('that was tried often enough is not tried again, and gives its place back to the one that works', async () => {
    const disk = machine(BOOT);
    await advance(disk);
    startThrough(disk, BOOT);
    expect(await advance(disk, true, false)).toBe('failed');
    expect(nextPath(disk)).toBeUndefined();
    expect(await mend(disk)).toBe(true);
    expect([content(disk, SYSTEMD), content(disk, BOOT)]).toEqual(['loader 262', 'loader 262']);
    // It is not written once more either.
    expect(await advance(disk, true, false)).toBe('failed');
    expect(await mend(disk)).toBe(false);
  });

  test('is not written where it could not be tried', async () => {
    const disk = machine(BOOT);
    expect(await advance(disk, false)).toBe('impossible');
    startThrough(disk, 'EFI/other/grub.efi');
    expect(await advance(disk)).toBe('impossible');
    expect(disk.calls).toEqual([]);
  });

  test('failure 27: what a cut rename left as a second name of a copy is not written to', async () => {
    const disk = machine(BOOT);
    disk.files.set('EFI/SLIPWAY/LOADER.NEW', Buffer.from('loader 262'));
    expect(await advance(disk)).toBe('waiting');
    expect(disk.calls.find((call) => call.includes('LOADER.NEW'))).toBe(
      'rename EFI/SLIPWAY/LOADER.NEW EFI/SLIPWAY/PARKED.001',
    );
  });

  test('cut anywhere, a copy that works is what starts next', async () => {
    for (const through of [BOOT, SYSTEMD]) {
      const probe = machine(through);
      if (through === SYSTEMD) probe.files.set(SYSTEMD, Buffer.from('loader 263'));
      await advance(probe);
      const labels = probe.calls.filter((call) => call.startsWith('[')).map((call) => call.slice(1, -1));
      expect(labels.length).toBeGreaterThan(8);
      for (const label of labels) {
        const disk = machine(through);
        if (through === SYSTEMD) disk.files.set(SYSTEMD, Buffer.from('loader 263'));
        disk.cutAt = label;
        await expect(advance(disk)).rejects.toThrow(PowerCut);
        // While one copy is written, the firmware is told to go through the other.
        expect(nextPath(disk), label).toBe(through);
        disk.cutAt = undefined;
        startThrough(disk, through);
        expect(['waiting', 'done'], label).toContain(await advance(disk));
      }
    }
  });
});

describe('a copy that rots', () => {
  test.each([
    { rotten: BOOT, started: SYSTEMD },
    { rotten: SYSTEMD, started: BOOT },
  ])('$rotten: becomes what this start came through', async ({ rotten, started }) => {
    const disk = machine(started);
    disk.files.set(rotten, Buffer.from('rotten'));
    expect(await mend(disk)).toBe(true);
    expect(content(disk, rotten)).toBe('loader 262');
    expect(await mend(disk)).toBe(false);
  });

  test('is left alone where this start came through neither', async () => {
    const disk = machine('EFI/other/grub.efi');
    disk.files.set(BOOT, Buffer.from('rotten'));
    expect(await mend(disk)).toBe(false);
    expect(content(disk, BOOT)).toBe('rotten');
  });
});

describe('the order of the firmware', () => {
  const order = (disk: MemoryDisk): number[] => {
    const bytes = Buffer.from(disk.variables.get(`BootOrder-${VENDORS.firmware}`) ?? []);
    return Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16LE(2 * index));
  };
  const firmware = (numbers: readonly number[], current?: number): MemoryDisk => {
    const disk = machine(BOOT);
    const bytes = (all: readonly number[]): Buffer => Buffer.from(Uint16Array.from(all).buffer);
    disk.variables.set(`BootOrder-${VENDORS.firmware}`, bytes(numbers));
    if (current !== undefined) disk.variables.set(`BootCurrent-${VENDORS.firmware}`, bytes([current]));
    return disk;
  };

  test('names the copy in EFI/systemd behind what this start came from, once', async () => {
    const disk = firmware([1, 2, 3], 2);
    await keepEntry(disk, PLACE, SYSTEMD);
    expect(order(disk)).toEqual([1, 2, 0x51aa, 3]);
    const written = new Map(disk.variables);
    await keepEntry(disk, PLACE, SYSTEMD);
    expect(disk.variables).toEqual(written);
    expect(await isNext(disk, SYSTEMD)).toBe(false);
    await bootOnceThrough(disk, PLACE, BOOT);
    expect([await isNext(disk, BOOT), await isNext(disk, SYSTEMD)]).toEqual([true, false]);
    expect(order(disk)).toEqual([1, 2, 0x51aa, 3]);
  });

  test('that does not name what this start came from, or is none', async () => {
    const unknown = firmware([1, 2], 0x51ab);
    await keepEntry(unknown, PLACE, SYSTEMD);
    expect(order(unknown)).toEqual([1, 2, 0x51aa]);
    const none = machine(BOOT);
    await keepEntry(none, PLACE, SYSTEMD);
    expect(none.variables.has(`BootOrder-${VENDORS.firmware}`)).toBe(false);
  });

  test('a disk that was cloned gets an entry of its own', async () => {
    const disk = firmware([1], 1);
    await keepEntry(disk, PLACE, SYSTEMD);
    const clone = { ...PLACE, guid: '11111111-89ab-4cde-8f01-23456789abcd' };
    await keepEntry(disk, clone, SYSTEMD);
    const option = Buffer.from(disk.variables.get(`Boot51AA-${VENDORS.firmware}`)!);
    expect(option.equals(Buffer.from(loadOption(clone, SYSTEMD)))).toBe(true);
    expect(order(disk)).toEqual([1, 0x51aa]);
  });
});

test('a load option as the firmware reads it', () => {
  const bytes = Buffer.from(loadOption(PLACE, SYSTEMD));
  expect(bytes.readUInt32LE(0)).toBe(1);
  const nodes = bytes.subarray(bytes.length - bytes.readUInt16LE(4));
  // HD(1,GPT,...): type, subtype, length, then partition, start, size, GUID, GPT, GUID.
  expect([nodes[0], nodes[1], nodes.readUInt16LE(2), nodes.readUInt32LE(4)]).toEqual([4, 1, 42, 1]);
  expect([nodes.readBigUInt64LE(8), nodes.readBigUInt64LE(16)]).toEqual([8192n, 2_097_152n]);
  expect(nodes.subarray(24, 40).toString('hex')).toBe('67452301ab89de4c8f0123456789abcd');
  expect([nodes[40], nodes[41], nodes[42], nodes[43]]).toEqual([2, 2, 4, 4]);
  const length = nodes.readUInt16LE(44);
  expect(nodes.subarray(46, 42 + length).toString('utf16le')).toBe('\\EFI\\systemd\\systemd-bootx64.efi\0');
  expect(nodes.subarray(42 + length)).toEqual(Buffer.from([0x7f, 0xff, 4, 0]));
});
