/** What is left for the boot loader at each start: a UKI that rots later must not stop a machine. */
import { copyFileSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { guardBoot } from '../../../../updater/device/scrub/guard-boot.ts';
import { NO_SCRUB, type ScrubMemory } from '../../../../updater/device/scrub/memory.ts';
import { VENDORS, type BootDisk } from '../../../../updater/device/switch/boot-disk.ts';
import { prepareSlot } from '../../../../updater/device/switch/prepare.ts';
import { installUki } from '../../../../updater/device/switch/install-uki.ts';
import { commitSlot } from '../../../../updater/device/switch/commit-slot.ts';
import { rollback } from '../../../../updater/device/switch/rollback.ts';
import { switchTo } from '../../../../updater/device/switch/switch-to.ts';
import { writeFileSync } from 'node:fs';
import { machineOn, manifestOf, runningVersion, ukiOf, type MemoryDisk } from '../switch/memory-disk.ts';

const UKI = 'EFI/Linux/minimal_1.0.0.efi';
const COPY = 'EFI/SLIPWAY/UKI.CPY';
const ENTRY = 'loader/entries/slipway-copy.conf';

let disk: MemoryDisk;
let memory: ScrubMemory;

beforeEach(() => {
  disk = machineOn('1.0.0', '0.9.0');
  memory = NO_SCRUB;
});

async function start(running = runningVersion('1.0.0')): Promise<void> {
  // host/boot/background.
  for (const name of ['LoaderEntryDefault', 'LoaderEntryOneShot'])
    disk.variables.delete(`${name}-${VENDORS.loader}`);
  const copy = (from: string, output: string) => Promise.resolve(copyFileSync(from, output));
  memory = await guardBoot({ disk, running, memory, copy });
}

function variable(name: string): string | undefined {
  const bytes = disk.variables.get(`${name}-${VENDORS.loader}`);
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('utf16le');
}

function selected(entry: string): void {
  disk.variables.set(`LoaderEntrySelected-${VENDORS.loader}`, Buffer.from(`${entry}\0`, 'utf16le'));
}

test('the next start is of the UKI, all others are of its copy, which the boot loader knows', async () => {
  await start();
  expect(variable('LoaderEntryOneShot')).toBe('minimal_1.0.0.efi\0');
  expect(variable('LoaderEntryDefault')).toBe('slipway-copy.conf\0');
  expect(disk.files.get(COPY)).toEqual(disk.files.get(UKI));
  expect(Buffer.from(disk.files.get(ENTRY) ?? []).toString()).toBe(
    'title Slipway, the copy\nversion 0\nefi /EFI/SLIPWAY/UKI.CPY\n',
  );
  expect(memory).toMatchObject({ copyOf: '1.0.0' });
  // Once more: nothing is written to the boot partition.
  disk.calls.length = 0;
  await start();
  expect(disk.calls).toEqual([]);
  expect(variable('LoaderEntryOneShot')).toBe('minimal_1.0.0.efi\0');
});

test('started from the copy, since the UKI is rotten: it is replaced, and that is told', async () => {
  await start();
  disk.files.set(UKI, Buffer.from(ukiOf('1.0.0').replace('uki', 'ukj')));
  selected('slipway-copy.conf');
  await start();
  expect(Buffer.from(disk.files.get(UKI) ?? []).toString()).toBe(ukiOf('1.0.0'));
  expect(memory.repairs).toEqual(['the rotten UKI of 1.0.0; this start was from its copy']);
  expect(variable('LoaderEntryOneShot')).toBe('minimal_1.0.0.efi\0');
});

test('started from the copy, since the UKI is gone: it is there again, and that is told', async () => {
  await start();
  disk.files.delete(UKI);
  selected('slipway-copy.conf');
  await start();
  expect(Buffer.from(disk.files.get(UKI) ?? []).toString()).toBe(ukiOf('1.0.0'));
  expect(memory.repairs).toEqual(['the missing UKI of 1.0.0; this start was from its copy']);
  expect(variable('LoaderEntryOneShot')).toBe('minimal_1.0.0.efi\0');
});

test('started from the copy, after a power flap: nothing is rotten, nothing is told', async () => {
  await start();
  selected('slipway-copy.conf');
  await start();
  expect(memory.repairs).toEqual([]);
  expect(memory.alarms).toEqual([]);
  expect(variable('LoaderEntryDefault')).toBe('slipway-copy.conf\0');
});

test('a version on trial, and one that is switched to: counting alone decides', async () => {
  await start(runningVersion('1.0.0', 'a', true));
  expect(disk.variables.size).toBe(0);
  await start();
  const manifest = manifestOf('1.1.0');
  const running = runningVersion('1.0.0');
  await prepareSlot(disk, running, manifest, 1);
  expect(disk.files.has(COPY)).toBe(true);
  await commitSlot(disk, running, manifest);
  await installUki(disk, running, manifest, (output) => {
    writeFileSync(output, ukiOf('1.1.0'));
    return Promise.resolve();
  });
  await switchTo(disk, running, manifest, { interfaces: [] }, 1);
  expect(variable('LoaderEntryDefault')).toBeUndefined();
  expect(variable('LoaderEntryOneShot')).toBeUndefined();
  await start();
  expect(variable('LoaderEntryDefault')).toBeUndefined();
});

test('a rollback as soon as the boot partition is free: what rolls back has the last word', async () => {
  const running = runningVersion('1.0.0');
  const copy = (from: string, output: string) => Promise.resolve(copyFileSync(from, output));
  const meanwhile: BootDisk = {
    ...disk,
    withEsp: async (body) => {
      const result = await disk.withEsp(body);
      await rollback(disk, running, 'by hand', 1);
      return result;
    },
  };
  await guardBoot({ disk: meanwhile, running, memory, copy });
  expect(disk.files.has(UKI)).toBe(false);
  expect(variable('LoaderEntryOneShot')).toBeUndefined();
  expect(variable('LoaderEntryDefault')).toBeUndefined();
});

test('a rollback that waits for the boot partition: nothing is left of what was said to the boot loader before its turn', async () => {
  const meanwhile: BootDisk = {
    ...disk,
    withEsp: async (body) => {
      await start();
      expect(variable('LoaderEntryOneShot')).toBe('minimal_1.0.0.efi\0');
      return disk.withEsp(body);
    },
  };
  expect(await rollback(meanwhile, runningVersion('1.0.0'), 'by hand', 1)).toBe('0.9.0');
  expect(variable('LoaderEntryOneShot')).toBeUndefined();
  expect(variable('LoaderEntryDefault')).toBeUndefined();
});

test('back on an older version: the copy is of that one before anything is started from it', async () => {
  await start();
  await start(runningVersion('0.9.0', 'b'));
  expect(memory).toMatchObject({ copyOf: '0.9.0' });
  expect(Buffer.from(disk.files.get(COPY) ?? []).toString()).toBe(ukiOf('0.9.0'));
  expect(variable('LoaderEntryOneShot')).toBe('minimal_0.9.0.efi\0');
});

test('without room for a copy nothing is promised to the boot loader', async () => {
  disk.freeBytes = 100;
  await start();
  expect(disk.variables.size).toBe(0);
  expect(disk.files.has(COPY)).toBe(false);
  expect(memory.copyOf).toBeNull();
});

test('a UKI that differs from what was installed is not copied', async () => {
  memory = { ...NO_SCRUB, ukis: { '1.0.0': 'ab'.repeat(32) } };
  await start();
  expect(disk.files.has(COPY)).toBe(false);
  expect(disk.variables.size).toBe(0);
});
