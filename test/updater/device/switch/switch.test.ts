/** An update up to its switch, without power cuts. */
/* eslint-disable @typescript-eslint/require-await -- an interface of promises, answered at once */
import { beforeEach, describe, expect, test } from 'vitest';
import { confirm } from '../../../../updater/device/switch/confirm.ts';
import { installUki } from '../../../../updater/device/switch/install-uki.ts';
import { commitSlot } from '../../../../updater/device/switch/commit-slot.ts';
import { prepareSlot } from '../../../../updater/device/switch/prepare.ts';
import { reconcile } from '../../../../updater/device/switch/reconcile.ts';
import { slotContent } from '../../../../updater/device/switch/superblock.ts';
import { switchTo } from '../../../../updater/device/switch/switch-to.ts';
import { bring, NETWORK, NOW, tryBoot } from './bring.ts';
import {
  machineOn,
  manifestOf,
  PowerCut,
  rootHashOf,
  runningVersion,
  type MemoryDisk,
} from './memory-disk.ts';
import { writeFileSync } from 'node:fs';

describe('an update from 1.0.0, beside which lies 0.9.0, to 1.1.0', () => {
  let disk: MemoryDisk;
  const old = runningVersion('1.0.0');

  beforeEach(() => {
    disk = machineOn('1.0.0', '0.9.0');
  });

  test('is switched to by the last rename, and committed by another', async () => {
    await bring(disk, old, '1.1.0');
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+3.efi']);
    expect(slotContent(disk.superblocks.b)).toBe(rootHashOf('1.1.0').slice(0, 32));
    expect(disk.remembered()).toMatchObject({
      attempt: null,
      trial: { version: '1.1.0', previous: { version: '1.0.0' } },
    });

    const next = tryBoot(disk, '1.1.0', 2);
    await reconcile(disk, { running: next, nowSeconds: NOW, fallbackFrom: undefined });
    expect(disk.remembered().trial).toMatchObject({ version: '1.1.0' });
    await confirm(disk, next, NOW);
    await confirm(disk, next, NOW);
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0.efi']);
    expect(disk.remembered()).toMatchObject({ trial: null, committed: { version: '1.1.0' }, failed: [] });
  });

  test('its old UKI goes before its superblock, the superblock before the first byte', async () => {
    await prepareSlot(disk, old, manifestOf('1.1.0'), NOW);
    const order = ['remove EFI/Linux/minimal_0.9.0.efi', 'sync EFI/Linux/', 'superblock b', 'flush b'];
    expect(disk.calls.filter((call) => order.includes(call))).toEqual(order);
    expect(slotContent(disk.superblocks.b)).toBeUndefined();
    expect(slotContent(disk.superblocks.a)).toBe(rootHashOf('1.0.0').slice(0, 32));
  });

  test('failure 4: interrupted anywhere, it never shows a UKI whose root is not whole, and is finished by the next run', async () => {
    await bring(disk, old, '1.1.0');
    const labels = disk.calls.filter((call) => call.startsWith('[')).map((call) => call.slice(1, -1));
    expect(labels.length).toBeGreaterThan(30);
    for (const label of labels) {
      const cut = machineOn('1.0.0', '0.9.0');
      cut.cutAt = label;
      await expect(bring(cut, old, '1.1.0'), label).rejects.toThrow(PowerCut);
      const bootable = cut.names().filter((name) => cut.files.get(`EFI/Linux/${name}`)!.length > 0);
      expect(bootable, label).toContain('minimal_1.0.0.efi');
      if (bootable.some((name) => name.includes('1.1.0')))
        expect(slotContent(cut.superblocks.b), label).toBe(rootHashOf('1.1.0').slice(0, 32));
      if (bootable.some((name) => name.includes('0.9.0')))
        expect(slotContent(cut.superblocks.b), label).toBe(rootHashOf('0.9.0').slice(0, 32));
      cut.cutAt = undefined;
      await reconcile(cut, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      await bring(cut, old, '1.1.0');
      expect(cut.names(), label).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+3.efi']);
      expect(cut.remembered().failed, label).toEqual([]);
    }
  });

  test('failure 5: the slot that runs is told by the root hash that booted, whatever lies on the ESP', async () => {
    disk.files.set('EFI/Linux/minimal_1.0.0.efi.extra.d.efi', Buffer.from('something new'));
    await prepareSlot(disk, old, manifestOf('1.1.0'), NOW);
    expect(disk.calls).not.toContain('superblock a');
    expect(disk.calls).not.toContain('flush a');
    expect(disk.names()).toEqual(['minimal_1.0.0.efi']);
  });

  test('failure 11: a full ESP is told in numbers, before anything is written to it', async () => {
    disk.freeBytes = 5_000_000;
    await prepareSlot(disk, old, manifestOf('1.1.0'), NOW);
    await commitSlot(disk, old, manifestOf('1.1.0'));
    const large = manifestOf('1.1.0');
    const manifest = { ...large, uki: { ...large.uki, sizeBytes: 20_000_000 } };
    const produce = async (): Promise<void> => {
      throw new Error('was written');
    };
    await expect(installUki(disk, old, manifest, produce)).rejects.toMatchObject({
      code: 'switch.esp-full',
      message: expect.stringMatching(/5 MiB free.*needs 21 MiB/) as string,
    });
  });

  test('failure 11: what a file system check left goes, and what nobody knows in EFI/Linux', async () => {
    disk.files.set('FSCK0000.REC', Buffer.from('chain'));
    disk.files.set('EFI/Linux/FSCK0001.REC', Buffer.from('chain'));
    disk.files.set('EFI/Linux/MINIMA~1.EFI', Buffer.from('half a name'));
    disk.files.set('EFI/Microsoft/Boot/bootmgfw.efi', Buffer.from('of somebody else'));
    await prepareSlot(disk, old, manifestOf('1.1.0'), NOW);
    expect([...disk.files.keys()].sort()).toEqual([
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/Linux/minimal_1.0.0.efi',
      'EFI/Microsoft/Boot/bootmgfw.efi',
      'loader/loader.conf',
    ]);
  });

  test('failure 12: a UKI that is not what was published leaves no file', async () => {
    await prepareSlot(disk, old, manifestOf('1.1.0'), NOW);
    await commitSlot(disk, old, manifestOf('1.1.0'));
    const truncated = installUki(disk, old, manifestOf('1.1.0'), async (output) =>
      writeFileSync(output, 'uki'),
    );
    await expect(truncated).rejects.toMatchObject({ code: 'switch.uki-content' });
    expect([...disk.files.keys()].filter((path) => path.includes('SLIPWAY'))).toEqual([]);
    await expect(switchTo(disk, old, manifestOf('1.1.0'), NETWORK, NOW)).rejects.toMatchObject({
      code: 'switch.not-installed',
    });
  });

  test('failure 13: of the state partition it takes no more than its record, which is there from the first start', async () => {
    await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
    disk.stateFull = true;
    await bring(disk, old, '1.1.0');
    await confirm(disk, tryBoot(disk, '1.1.0', 2), NOW);
    expect(disk.remembered().committed).toMatchObject({ version: '1.1.0' });
  });

  test('failure 18: on an ESP that takes no writing, nothing begins', async () => {
    disk.readOnly = true;
    await expect(prepareSlot(disk, old, manifestOf('1.1.0'), NOW)).rejects.toMatchObject({
      code: 'switch.esp',
    });
    expect(disk.calls).not.toContain('superblock b');
  });

  test('failure 20: the version to return to is never counted, and never touched', async () => {
    await bring(disk, old, '1.1.0');
    const touched = disk.calls.filter((call) => call.includes('minimal_1.0.0'));
    expect(touched).toEqual([]);
    expect(disk.names()).toContain('minimal_1.0.0.efi');
  });

  test('failure 21: a switch that the ESP does not show is no success', async () => {
    const honest = disk.withEsp.bind(disk);
    const lying: MemoryDisk = Object.assign(disk, {
      withEsp: (body: Parameters<typeof honest>[0]) =>
        honest((esp) => body({ ...esp, rename: async () => undefined })),
    });
    await expect(bring(lying, old, '1.1.0')).rejects.toMatchObject({ code: 'switch.read-back' });
  });

  test('failure 23: boot variables of another system are cleared, and none is believed', async () => {
    const vendor = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f';
    for (const name of ['LoaderEntryDefault', 'LoaderEntryOneShot', 'LoaderEntryPreferred'])
      disk.variables.set(`${name}-${vendor}`, Buffer.from('minimal_0.9.0.efi', 'utf16le'));
    await bring(disk, old, '1.1.0');
    expect([...disk.variables.keys()]).toEqual([]);
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+3.efi']);
  });

  test('failure 25: what a failed trial returns to is the version that ran before it', async () => {
    await bring(disk, old, '1.1.0');
    expect(disk.remembered().trial?.previous).toEqual({
      version: '1.0.0',
      rootHash: rootHashOf('1.0.0'),
      slot: 'a',
    });
    expect(disk.names().filter((name) => !name.includes('+'))).toEqual(['minimal_1.0.0.efi']);
  });

  test('failure 34: runs that were cut, however many, count nothing', async () => {
    for (const label of ['prepare.flush-slot', 'install.write', 'switch.record', 'switch.sync-name'])
      for (let round = 0; round < 10; round++) {
        disk.cutAt = label;
        await expect(bring(disk, old, '1.1.0')).rejects.toThrow(PowerCut);
        await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined }).catch(
          () => undefined,
        );
      }
    disk.cutAt = undefined;
    await bring(disk, old, '1.1.0');
    expect(disk.remembered()).toMatchObject({ failed: [], trial: { version: '1.1.0' } });
  });

  test.each(['install', 'switch', 'restart'])(
    'failure 35: one that waits for its window before the phase `%s` gives way to a newer one, and has not failed',
    async (until) => {
      await bring(disk, old, '1.1.0', until);
      await bring(disk, old, '1.2.0', 'install');
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      await bring(disk, old, '1.2.0');
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.2.0+3.efi']);
      expect(disk.remembered()).toMatchObject({ failed: [], trial: { version: '1.2.0' } });
    },
  );
});

test('nothing is installed over a trial, nor twice under one version', async () => {
  const disk = machineOn('1.0.0', '0.9.0');
  const trial = runningVersion('1.0.0', 'a', true);
  await expect(prepareSlot(disk, trial, manifestOf('1.1.0'), NOW)).rejects.toMatchObject({
    code: 'switch.trial',
  });
  const twin = { ...manifestOf('1.0.0'), root: manifestOf('5').root };
  await expect(prepareSlot(disk, runningVersion('1.0.0'), twin, NOW)).rejects.toMatchObject({
    code: 'switch.same-version',
  });
  expect(disk.calls).toEqual([]);
});
