import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Machine } from '../../../lab/machine.ts';
import { ssh as sshRun, type SshAccess } from '../../../lab/ssh.ts';
import { HEALTHY_LIMIT_MS, slipStatus, ssh, sshAccess, startTestMachine } from '../machine.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { rotRoot } from './rot.ts';
import { buildVersion, UPDATE_WORK, type BuiltVersion } from './versions.ts';

/** Six starts of a machine. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 6 * HEALTHY_LIMIT_MS;
/** A machine that is busy with other tests takes its time. */
const PATIENCE_MS = 3 * HEALTHY_LIMIT_MS;
const OVERLAY = join(UPDATE_WORK, 'rot.qcow2');
const VARIABLES = join(UPDATE_WORK, 'rot.variables');

/** Nothing counts the starts of a version that was good once. */
describe.runIf(FULL)('a committed version that rots', { timeout: LIMIT_MS }, () => {
  let first: BuiltVersion;
  let repository: TestRepository;
  let machine: Machine;
  let access: SshAccess;

  beforeAll(async () => {
    await forget();
    first = await buildVersion('2.30.0');
    repository = await openTestRepository('rot');
    await repository.publish(first);
    await start();
    await machine.waitForReport('healthy', PATIENCE_MS);
    access = await sshAccess(machine, first.user);
    await ssh(access, `slip update config url ${repository.guestUrl}`);
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
    await forget();
  });

  test('the root: /init asks for the version from before, which reports it; the next good one is installed', async () => {
    await update(await buildVersion('2.31.0'), 'b');
    await machine.close();
    await rotRoot(OVERLAY, first.disk, 'b');
    await start();
    await machine.waitForConsole(/CANNOT BOOT updating 2\.31\.0/, PATIENCE_MS);
    await cameBackTo('2.30.0');
    await expect
      .poll(async () => (await slipStatus(access)).update?.failed, {
        timeout: PATIENCE_MS,
        interval: 2000,
      })
      .toMatchObject([{ version: '2.31.0', reason: 'it could not open its root' }]);
    expect(JSON.parse(await ssh(access, 'slip update apply --json'))).toMatchObject({
      outcome: 'up-to-date',
    });
    await update(await buildVersion('2.32.0'), 'b');
  });

  test('its UKI: the start after the one that fails is from the copy, which takes its place', async () => {
    const { image } = await slipStatus(access);
    await expect
      .poll(scrubbed, { timeout: PATIENCE_MS, interval: 2000 })
      .toMatchObject({ copyOf: image.version, alarms: [] });
    await root(
      'mkdir -p /run/rot && mount -t vfat /dev/vda1 /run/rot && ' +
        `dd if=/dev/urandom of=/run/rot/EFI/Linux/updating_${image.version}.efi bs=4096 seek=900 count=1 conv=notrunc && ` +
        'sync && umount /run/rot',
    );
    await machine.kill();
    await machine.close();
    await start();
    await machine.waitForConsole(/Failed to start boot entry/, PATIENCE_MS);
    await cameBackTo(image.version);
    await expect
      .poll(scrubbed, { timeout: PATIENCE_MS, interval: 2000 })
      .toMatchObject({ repairs: [`the rotten UKI of ${image.version}; this start was from its copy`] });
    // From its own place again.
    await machine.kill();
    await machine.close();
    await start();
    await cameBackTo(image.version);
    expect(machine.console()).not.toContain('Failed to start boot entry');
  });

  test('a block of the root that runs: the scrub repairs it, and says so', async () => {
    const { image, slot } = await slipStatus(access);
    const device = slot === 'a' ? '/dev/vda2' : '/dev/vda4';
    await root(`dd if=/dev/urandom of=${device} bs=4096 seek=3000 count=2 conv=notrunc && sync`);
    const report = JSON.parse(await ssh(access, 'slip update scrub --json')) as { slots: unknown[] };
    expect(report).toMatchObject({ outcome: 'repaired', alarms: [] });
    expect(report.slots[0]).toMatchObject({ slot, version: image.version, rotten: 2, repaired: 2 });
    expect(JSON.parse(await ssh(access, 'slip update scrub --json'))).toMatchObject({ outcome: 'good' });
  });

  async function scrubbed(): Promise<unknown> {
    const status = JSON.parse(await ssh(access, 'slip update status --json')) as { scrub: unknown };
    return status.scrub;
  }

  function root(command: string): Promise<string> {
    return ssh(access, `slip shell -T -- /bin/sh -c '${command}'`);
  }

  async function start(): Promise<void> {
    machine = await startTestMachine({
      name: 'rot',
      disk: first.disk,
      diskSizeBytes: first.machineDiskBytes,
      overlay: OVERLAY,
      variableStore: VARIABLES,
      memoryMiB: 512,
    });
  }

  async function cameBackTo(version: string): Promise<void> {
    const { status } = await machine.waitForReport('healthy', PATIENCE_MS);
    expect(status.image.version).toBe(version);
    access = await sshAccess(machine, first.user);
  }

  async function update(version: BuiltVersion, slot: 'a' | 'b'): Promise<void> {
    await repository.publish(version);
    const seen = machine.events.length;
    void sshRun(access, 'slip update apply --json', { timeoutMs: LIMIT_MS }).catch(() => undefined);
    await machine.waitForEvent('RESET', LIMIT_MS, seen);
    const { status } = await machine.waitForReport('healthy', PATIENCE_MS);
    expect(status).toMatchObject({ slot, image: { version: version.version } });
    await expect
      .poll(() => ssh(access, 'slip update status --json').then(JSON.parse, String), {
        timeout: PATIENCE_MS,
        interval: 2000,
      })
      .toMatchObject({ state: 'idle', committed: { version: version.version } });
  }
});

async function forget(): Promise<void> {
  for (const file of [OVERLAY, VARIABLES]) await rm(file, { force: true });
}
