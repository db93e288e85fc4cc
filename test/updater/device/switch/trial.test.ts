/** A trial and its end: committed, given up, given back, or rolled back by hand; without power cuts. */
import { beforeEach, describe, expect, test } from 'vitest';
import { confirm } from '../../../../updater/device/switch/confirm.ts';
import { fail } from '../../../../updater/device/switch/fail.ts';
import { reconcile } from '../../../../updater/device/switch/reconcile.ts';
import { rollback } from '../../../../updater/device/switch/rollback.ts';
import { retry } from '../../../../updater/device/switch/retry.ts';
import type { RunningVersion } from '../../../../updater/device/switch/facts.ts';
import { bring, NOW, tryBoot } from './bring.ts';
import { machineOn, PowerCut, runningVersion, ukiOf, type MemoryDisk } from './memory-disk.ts';

describe('a version on trial: 1.1.0, beside which lies 1.0.0', () => {
  let disk: MemoryDisk;
  const old = runningVersion('1.0.0');

  beforeEach(() => {
    disk = machineOn('1.0.0', '0.9.0');
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

  test('failure 22: a restart in good order during the trial is no failed boot', async () => {
    await bring(disk, old, '1.1.0');
    await retry(disk, tryBoot(disk, '1.1.0', 2));
    expect(disk.names()).toContain('minimal_1.1.0+3-1.efi');
  });

  test('failure 22: but not one by which it is given up', async () => {
    await bring(disk, old, '1.1.0');
    const next = tryBoot(disk, '1.1.0', 2);
    expect(await rollback(disk, next, 'by hand', NOW)).toBe('1.0.0');
    await retry(disk, next);
    expect(disk.names()).toContain('minimal_1.1.0+0-1.efi');
  });

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
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0-4.efi']);
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
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0-4.efi']);
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
      expect(disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+0-4.efi']);
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
