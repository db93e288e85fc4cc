/** What follows a commit, on a machine: what is left is said, is tried at each start, and never turns a good version bad. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { signatureList } from '../../../../builder/keys/esl.ts';
import type { System } from '../../../../system/system.ts';
import { VENDORS } from '../../../../updater/device/switch/boot-disk.ts';
import { performPending, type FollowUp } from '../../../../updater/device/switch/pending.ts';
import { keepLoaders } from '../../../../updater/device/switch/pending-loader.ts';
import { EMPTY_RECORD, type PendingAction } from '../../../../updater/device/switch/record-content.ts';
import { changeRecord } from '../../../../updater/device/switch/record-store.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { rootedSystem, type RootedSystem } from '../rooted-system.ts';
import { memoryDisk, runningVersion, sha256, type MemoryDisk } from './memory-disk.ts';

const scratch = scratchDirectory();
const SYSTEMD = 'EFI/systemd/systemd-bootx64.efi';
const BOOT = 'EFI/BOOT/BOOTX64.EFI';
const AFTER = '/var/lib/slipway/update/after';
const GUID = '01234567-89ab-4cde-8f01-23456789abcd';
const RUNNING = runningVersion('1.1.0', 'b');
const LOADER: PendingAction = { kind: 'loader', sha256: sha256('loader 263'), version: '263' };
const DBX: PendingAction = { kind: 'variable', variable: 'dbx', sha256: sha256('dbx') };

const SYS: Readonly<Record<string, string>> = {
  '/sys/class/block/vda/vda1/uevent': 'PARTNAME=esp\nDEVNAME=vda1\n',
  '/sys/class/block/vda1/start': '8192\n',
  '/sys/class/block/vda1/size': '2097152\n',
  '/sys/class/block/vda1/partition': '1\n',
  '/sys/class/block/vda/queue/logical_block_size': '512\n',
};

let rooted: RootedSystem;
let system: System;
let disk: MemoryDisk;

beforeEach(async () => {
  rooted = rootedSystem(join(scratch, String(Math.random())));
  rooted.give('/run/slipway/boot/disk', '/dev/vda\n');
  system = {
    ...rooted,
    readText: (path) => SYS[path] ?? rooted.readText(path),
    list: (path) => (path === '/sys/class/block/vda' ? ['vda1'] : rooted.list(path)),
    readLink: (path) => (path === '/sys/class/block/vda1' ? '../devices/vda/vda1' : rooted.readLink(path)),
  };
  disk = memoryDisk({ [SYSTEMD]: 'loader 262', [BOOT]: 'loader 262' });
  text('LoaderDevicePartUUID', GUID);
  startThrough(BOOT);
  await changeRecord(disk, () => ({ ...EMPTY_RECORD, pending: [LOADER, DBX] }));
  for (const content of ['loader 263', 'dbx']) {
    rooted.give(`${AFTER}/${sha256(content)}`, '');
    writeFileSync(rooted.place(`${AFTER}/${sha256(content)}`), content);
  }
});

const text = (name: string, value: string): void =>
  void disk.variables.set(`${name}-${VENDORS.loader}`, Buffer.from(`${value}\0`, 'utf16le'));
const startThrough = (path: string): void => {
  text('LoaderImageIdentifier', `\\${path.replaceAll('/', '\\')}`);
  disk.variables.delete(`BootNext-${VENDORS.firmware}`);
};
const secureBoot = (): void => void disk.variables.set(`SecureBoot-${VENDORS.firmware}`, Buffer.from([1]));
const perform = (): Promise<readonly FollowUp[]> => performPending(system, disk, RUNNING);
const pending = (): readonly PendingAction[] => disk.remembered().pending;
const content = (path: string): string => Buffer.from(disk.files.get(path)!).toString();

test('the boot loader by two starts; what cannot be done stays to be done, with its file', async () => {
  expect(await perform()).toEqual([
    { what: 'boot loader 263', state: 'waiting', why: 'it is tried at the next start of the machine' },
    { what: "Secure Boot's dbx", state: 'refused', why: 'Secure Boot is off' },
  ]);
  startThrough(SYSTEMD);
  expect(await perform()).toEqual([
    { what: "Secure Boot's dbx", state: 'refused', why: 'Secure Boot is off' },
  ]);
  expect([content(SYSTEMD), content(BOOT)]).toEqual(['loader 263', 'loader 263']);
  expect(pending()).toEqual([DBX]);
  expect(rooted.list(AFTER)).toEqual([sha256('dbx')]);
});

test('nothing is done while a version is on trial', async () => {
  const before = new Map(disk.files);
  expect(await performPending(system, disk, { ...RUNNING, trial: true })).toEqual([]);
  expect(disk.files).toEqual(before);
  expect(pending()).toEqual([LOADER, DBX]);
});

describe('a boot loader that never starts', () => {
  test('is named for three starts, however often it is looked at in one; then its place goes back', async () => {
    for (let start = 1; start <= 3; start += 1) {
      startThrough(BOOT);
      for (let look = 0; look < 3; look += 1) await perform();
      expect(pending()[0]).toMatchObject({ kind: 'loader', tries: start });
      expect(await keepLoaders(system, disk, RUNNING)).toBeUndefined();
      expect(content(SYSTEMD)).toBe('loader 263');
    }
    startThrough(BOOT);
    const [followUp] = await perform();
    expect(followUp).toMatchObject({ what: 'boot loader 263', state: 'refused' });
    expect(followUp?.why).toMatch(/3 times/);
    expect(disk.variables.has(`BootNext-${VENDORS.firmware}`)).toBe(false);
    await keepLoaders(system, disk, RUNNING);
    expect([content(SYSTEMD), content(BOOT)]).toEqual(['loader 262', 'loader 262']);
    // The next release brings another, which is tried anew.
    const next: PendingAction = { ...LOADER, sha256: sha256('loader 264') };
    await changeRecord(disk, (record) => ({ ...record, pending: [next] }));
    rooted.give(`${AFTER}/${next.sha256}`, 'loader 264');
    expect(await perform()).toMatchObject([{ state: 'waiting' }]);
    expect(content(SYSTEMD)).toBe('loader 264');
  });

  test('is not written where the firmware would not start it: nobody has signed it', async () => {
    secureBoot();
    const [followUp] = await perform();
    expect(followUp).toEqual({
      what: 'boot loader 263',
      state: 'refused',
      why: 'its signature cannot be read',
    });
    expect(content(SYSTEMD)).toBe('loader 262');
  });
});

test('what is no update of a variable is refused, and what rots on the state partition is not used', async () => {
  secureBoot();
  const ofKeys = async (): Promise<FollowUp | undefined> =>
    (await perform()).find(({ what }) => /dbx/.test(what));
  expect(await ofKeys()).toMatchObject({
    state: 'refused',
    why: 'the update of dbx is no signed list of certificates',
  });
  writeFileSync(rooted.place(`${AFTER}/${DBX.sha256}`), 'rotten');
  expect(await ofKeys()).toMatchObject({ state: 'refused', why: 'its file is not here any more' });
});

test('in the first boot of a disk, whose name in the firmware is about to change, nothing is tried yet', async () => {
  text('LoaderDevicePartUUID', `${GUID.slice(0, 14)}8${GUID.slice(15)}`);
  expect(await perform()).toMatchObject([{ state: 'waiting' }, { state: 'refused' }]);
  expect(content(SYSTEMD)).toBe('loader 262');
});

describe('where the TPM opens the state partition by the keys of the firmware', () => {
  const leaf = Buffer.from('a leaf that signed nothing here');
  const header = Buffer.alloc(16 + 24 + 100);
  header.writeUInt32LE(24 + 100, 16);
  const owner = '5c1b7c3e-7d0b-4a35-8b0f-2f5d6a1e0c57';
  const bytes = Buffer.concat([header, signatureList(owner, [{ type: 'x509', certificate: leaf }])]);
  const CA: PendingAction = { kind: 'variable', variable: 'db', sha256: sha256(bytes) };

  beforeEach(async () => {
    secureBoot();
    await changeRecord(disk, (record) => ({ ...record, pending: [CA] }));
    rooted.give(`${AFTER}/${CA.sha256}`, '');
    writeFileSync(rooted.place(`${AFTER}/${CA.sha256}`), bytes);
    disk.writeVariable = ({ name, vendor }, content) => {
      disk.variables.set(`${name}-${vendor}`, content.subarray(header.length));
      return Promise.resolve();
    };
  });
  const mounted = (device: string): void => {
    const before = system;
    const text = `/dev/dm-0 / erofs ro 0 0\n${device} /var ext4 rw 0 0\n`;
    system = { ...before, readText: (path) => (path === '/proc/mounts' ? text : before.readText(path)) };
  };

  test('they stay as they are, until somebody says who has its recovery key', async () => {
    mounted('/dev/dm-1');
    const [followUp] = await perform();
    expect(followUp).toMatchObject({ what: "Secure Boot's db", state: 'waiting' });
    expect(followUp?.why).toContain('slip update finish --recovery-key-at-hand');
    expect(disk.variables.has(`db-${VENDORS.signatures}`)).toBe(false);
    expect(await performPending(system, disk, RUNNING, 'recovery-key-at-hand')).toEqual([]);
    expect(disk.variables.has(`db-${VENDORS.signatures}`)).toBe(true);
  });

  test('a plain one asks for nothing', async () => {
    mounted('/dev/vda7');
    expect(await perform()).toEqual([]);
  });
});
