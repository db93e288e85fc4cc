/** The whole protocol, without power cuts. */
/* eslint-disable @typescript-eslint/require-await -- an interface of promises, answered at once */
import { writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from 'vitest';
import { commitSlot } from '../../../../updater/device/switch/commit-slot.ts';
import { confirm } from '../../../../updater/device/switch/confirm.ts';
import { fail } from '../../../../updater/device/switch/fail.ts';
import { installUki } from '../../../../updater/device/switch/install-uki.ts';
import { nextPhase } from '../../../../updater/device/switch/next-phase.ts';
import { prepareSlot } from '../../../../updater/device/switch/prepare.ts';
import { reconcile } from '../../../../updater/device/switch/reconcile.ts';
import { rollback } from '../../../../updater/device/switch/rollback.ts';
import { slotContent } from '../../../../updater/device/switch/superblock.ts';
import { switchTo } from '../../../../updater/device/switch/switch-to.ts';
import type { RunningVersion } from '../../../../updater/device/switch/facts.ts';
import { retry } from '../../../../updater/device/switch/retry.ts';
import {
  machineOn,
  manifestOf,
  PowerCut,
  rootHashOf,
  runningVersion,
  ukiOf,
  type MemoryDisk,
} from './memory-disk.ts';

const NOW = 1_800_000_000;
const NETWORK = { interfaces: [] };

/** `until`: the phase before which it waits. */
async function bring(
  disk: MemoryDisk,
  running: RunningVersion,
  version: string,
  until = 'restart',
): Promise<void> {
  const manifest = manifestOf(version);
  for (;;) {
    const phase = await nextPhase(disk, running, manifest);
    if (phase === until) return;
    switch (phase) {
      case 'prepare':
        await prepareSlot(disk, running, manifest, NOW);
        await commitSlot(disk, running, manifest);
        break;
      case 'install':
        await installUki(disk, running, manifest, async (output) => writeFileSync(output, ukiOf(version)));
        break;
      case 'switch':
        await switchTo(disk, running, manifest, NETWORK, NOW);
        break;
      case 'restart':
        return;
    }
  }
}

/** What systemd-boot does to the newest counted entry. */
function tryBoot(disk: MemoryDisk, version: string, left: number): RunningVersion {
  const from = disk.names().find((name) => name.startsWith(`minimal_${version}+`))!;
  const bytes = disk.files.get(`EFI/Linux/${from}`)!;
  disk.files.delete(`EFI/Linux/${from}`);
  disk.files.set(`EFI/Linux/minimal_${version}+${left}-${3 - left}.efi`, bytes);
  return runningVersion(version, 'b', true);
}

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

  test('failure 15: a stale twin without a counter does not pass for the good version', async () => {
    await bring(disk, old, '1.1.0');
    const next = tryBoot(disk, '1.1.0', 2);
    disk.files.set('EFI/Linux/minimal_1.1.0.efi', Buffer.from('an earlier attempt'));
    await confirm(disk, next, NOW);
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0.efi']);
    expect(Buffer.from(disk.files.get('EFI/Linux/minimal_1.1.0.efi')!).toString()).toBe(ukiOf('1.1.0'));
  });

  test('failure 15, 27: two names of one content: none is removed, since that could free the other', async () => {
    await bring(disk, old, '1.1.0');
    const next = tryBoot(disk, '1.1.0', 2);
    disk.files.set('EFI/Linux/minimal_1.1.0.efi', Buffer.from(ukiOf('1.1.0')));
    await confirm(disk, next, NOW);
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0.efi']);
    expect(disk.files.has('EFI/SLIPWAY/PARKED.001')).toBe(true);
    // It goes with its twin: both at once, when neither is needed any more.
    await confirm(disk, runningVersion('1.1.0', 'b'), NOW);
    expect(disk.files.has('EFI/SLIPWAY/PARKED.001')).toBe(true);
  });

  test('failure 16: a version without tries left, once it runs well, is a good one again', async () => {
    await bring(disk, old, '1.1.0');
    const next = tryBoot(disk, '1.1.0', 0);
    await confirm(disk, next, NOW);
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0.efi']);
  });

  test('failure 18: on an ESP that takes no writing, nothing begins', async () => {
    disk.readOnly = true;
    await expect(prepareSlot(disk, old, manifestOf('1.1.0'), NOW)).rejects.toMatchObject({
      code: 'switch.esp',
    });
    expect(disk.calls).not.toContain('superblock b');
  });

  test('failure 19: a committed version that rots is not started again and again', async () => {
    await bring(disk, old, '1.1.0');
    await confirm(disk, tryBoot(disk, '1.1.0', 2), NOW);
    expect(disk.names()).toContain('minimal_1.1.0.efi');
    // Its initrd could not open the root, and asked for the other one.
    await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: '1.1.0' });
    expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0.efi']);
    expect(disk.remembered()).toMatchObject({
      committed: { version: '1.0.0' },
      failed: [{ version: '1.1.0', reason: 'it could not open its root' }],
    });
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

  test('failure 22: a restart in good order during the trial is no failed boot', async () => {
    await bring(disk, old, '1.1.0');
    await retry(disk, tryBoot(disk, '1.1.0', 2));
    expect(disk.names()).toContain('minimal_1.1.0+3.efi');
  });

  test('failure 22: but not one by which it is given up', async () => {
    await bring(disk, old, '1.1.0');
    const next = tryBoot(disk, '1.1.0', 2);
    expect(await rollback(disk, next, 'by hand', NOW)).toBe('1.0.0');
    await retry(disk, next);
    expect(disk.names()).toContain('minimal_1.1.0+0-1.efi');
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

  describe('whose gate fails', () => {
    let next: RunningVersion;

    beforeEach(async () => {
      await bring(disk, old, '1.1.0');
      next = tryBoot(disk, '1.1.0', 2);
      disk.calls.length = 0;
    });

    test('failure 28: is remembered with its reason before anything else, and not offered again', async () => {
      const outcome = await fail(disk, next, 'gate web is not healthy', ['line 1', 'cannot "bind"'], NOW);
      expect(outcome).toEqual({ action: 'restart' });
      expect(disk.calls.indexOf('flush record')).toBeLessThan(
        disk.calls.findIndex((call) => call.startsWith('write') || call.startsWith('rename')),
      );
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0-3.efi']);
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      expect(disk.remembered()).toMatchObject({
        trial: null,
        committed: { version: '1.0.0' },
        failed: [
          {
            version: '1.1.0',
            reason: 'gate web is not healthy',
            logs: ['line 1', "cannot 'bind'"],
            returned: true,
          },
        ],
      });
    });

    test('failure 29: is remembered still when its slot holds another version', async () => {
      await fail(disk, next, 'bad', [], NOW);
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      await bring(disk, old, '1.2.0');
      await confirm(disk, tryBoot(disk, '1.2.0', 2), NOW);
      expect(disk.remembered()).toMatchObject({
        committed: { version: '1.2.0' },
        failed: [{ version: '1.1.0' }],
      });
    });

    test('failure 30: leads back once; made to run again, it stays and says so', async () => {
      await fail(disk, next, 'bad', [], NOW);
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      await bring(disk, old, '1.1.0');
      const again = tryBoot(disk, '1.1.0', 2);
      expect(await fail(disk, again, 'bad', [], NOW)).toMatchObject({ action: 'stay' });
      expect(disk.names()).toContain('minimal_1.1.0+2-1.efi');
    });

    test('failure 30: with nothing to return to, it stays', async () => {
      disk.files.delete('EFI/Linux/minimal_1.0.0.efi');
      expect(await fail(disk, next, 'bad', [], NOW)).toMatchObject({ action: 'stay' });
      expect(disk.remembered().failed).toMatchObject([{ version: '1.1.0', reason: 'bad' }]);
    });

    test('failure 27: with an ESP that cannot be mounted any more it is remembered all the same', async () => {
      const broken: MemoryDisk = Object.assign(disk, {
        withEsp: () => Promise.reject(new Error('bad superblock')),
      });
      await expect(fail(broken, next, 'bad', [], NOW)).rejects.toThrow('bad superblock');
      expect(disk.remembered().failed).toMatchObject([{ version: '1.1.0', reason: 'bad' }]);
    });

    test('failure 14: without a free byte on state the way back is the same', async () => {
      disk.stateFull = true;
      expect(await fail(disk, next, 'bad', [], NOW)).toEqual({ action: 'restart' });
      expect(disk.remembered().failed).toMatchObject([{ version: '1.1.0' }]);
      disk.record = undefined;
      expect(await fail(disk, next, 'bad', [], NOW)).toEqual({ action: 'restart' });
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0-3.efi']);
    });

    test('failure 31: once it has led back, what counts as committed is what runs', async () => {
      await confirm(disk, next, NOW);
      expect(disk.remembered().committed).toMatchObject({ version: '1.1.0' });
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      expect(disk.remembered().committed).toMatchObject({ version: '1.0.0' });
    });

    test('failure 33: a commit whose record was cut is a commit', async () => {
      disk.cutAt = 'confirm.read-back';
      await expect(confirm(disk, next, NOW)).rejects.toThrow(PowerCut);
      disk.cutAt = undefined;
      const running = { ...next, trial: false };
      await reconcile(disk, { running, nowSeconds: NOW, fallbackFrom: undefined });
      expect(disk.remembered()).toMatchObject({ trial: null, committed: { version: '1.1.0' }, failed: [] });
    });

    test('that never came up is told by its counter', async () => {
      tryBoot(disk, '1.1.0', 0);
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      expect(disk.remembered().failed).toMatchObject([
        { version: '1.1.0', reason: expect.stringContaining('started 3 times') as string, returned: true },
      ]);
    });

    test('that could not open its root, and asked for the other, is not tried again', async () => {
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: '1.1.0' });
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0-3.efi']);
      expect(disk.remembered().failed).toMatchObject([{ version: '1.1.0' }]);
    });

    test('whose UKI vanished counts as tried', async () => {
      disk.files.delete('EFI/Linux/minimal_1.1.0+2-1.efi');
      await reconcile(disk, { running: old, nowSeconds: NOW, fallbackFrom: undefined });
      expect(disk.remembered()).toMatchObject({ trial: null, failed: [{ version: '1.1.0' }] });
    });
  });
});

describe('an operator rolls back', () => {
  const running = runningVersion('1.0.0');

  test('to the older version; the newer is not installed again by itself', async () => {
    const disk = machineOn('1.0.0', '0.9.0');
    expect(await rollback(disk, running, 'by hand', NOW)).toBe('0.9.0');
    expect(disk.names()).toEqual(['minimal_0.9.0.efi', 'minimal_1.0.0+0.efi']);
    expect(disk.remembered().failed).toMatchObject([{ version: '1.0.0', reason: 'by hand' }]);
  });

  test('not into a slot that is being written', async () => {
    const disk = machineOn('1.0.0', '0.9.0');
    disk.superblocks.b = new Uint8Array(512);
    await expect(rollback(disk, running, 'by hand', NOW)).rejects.toMatchObject({
      code: 'switch.no-fallback',
    });
    expect(disk.names()).toEqual(['minimal_0.9.0.efi', 'minimal_1.0.0.efi']);
  });

  test('not to a newer one', async () => {
    const disk = machineOn('1.0.0', '1.1.0');
    await expect(rollback(disk, running, 'by hand', NOW)).rejects.toMatchObject({
      code: 'switch.no-fallback',
    });
  });
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
