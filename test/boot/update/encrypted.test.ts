/** Versions whose state the TPM opens (docs/encryption.md), as updates bring them: there, back, and over a change of the firmware's keys. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineStatus } from '../../../spec/machine.ts';
import { openSecureBootChanges } from '../../../updater/repository/release/secure-boot.ts';
import { KEYS } from '../image.ts';
import { HEALTHY_LIMIT_MS, slipStatus, ssh, sshAccess } from '../machine.ts';
import { RECOVERY_KEY } from '../recovery-key.ts';
import { startUpdatingMachine, type UpdatingMachine } from './machine.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { buildVersion, UPDATE_WORK, type BuiltVersion } from './versions.ts';

/** Seven starts of a machine. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
const POLL = { timeout: HEALTHY_LIMIT_MS, interval: 2000 };
const TPM = join(UPDATE_WORK, 'encrypted.tpm');

describe.runIf(FULL)('a machine whose state the TPM opens', { timeout: LIMIT_MS }, () => {
  let versions: Record<'first' | 'second' | 'third', BuiltVersion>;
  let repository: TestRepository;
  let machine: UpdatingMachine;
  let recoveryKey: string;

  beforeAll(async () => {
    versions = {
      first: await buildVersion('8.0.0', 'encrypted'),
      second: await buildVersion('8.1.0', 'encrypted'),
      third: await buildVersion('8.2.0', 'encrypted'),
    };
    repository = await openTestRepository('encrypted');
    await repository.publish(versions.first, versions.second);
    await rm(TPM, { recursive: true, force: true });
    machine = await startUpdatingMachine('encrypted', versions.first, repository, { tpm: TPM });
    [recoveryKey = ''] = RECOVERY_KEY.exec(machine.machine.console()) ?? [];
    await machine.root('echo kept >/var/lib/slipway/test-state; sync');
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
    await rm(TPM, { recursive: true, force: true });
  });

  test('a new version opens what the old one sealed', async () => {
    await isOpen('8.0.0', await machine.status());
    await isOpen('8.1.0', await machine.applyAndSettle());
    expect(await machine.update('status')).toMatchObject({ state: 'idle', committed: { version: '8.1.0' } });
  });

  test('and the old one again, after slip update rollback', async () => {
    const seen = machine.machine.events.length;
    await ssh(machine.access, 'slip update rollback').catch(() => undefined);
    await isOpen('8.0.0', await machine.settled(seen));
    expect(await machine.update('status')).toMatchObject({ committed: { version: '8.0.0' } });
    expect((await machine.status()).update?.failed).toMatchObject([
      { version: '8.1.0', reason: 'rolled back by an operator' },
    ]);
  });

  test("a change of the firmware's keys waits for somebody with the recovery key, who then seals state anew", async () => {
    const files = { db: [join(KEYS, 'debug/db.crt')] };
    await repository.publishChanges(
      versions.third,
      await openSecureBootChanges(KEYS, files, () => Promise.resolve(undefined)),
    );
    await isOpen('8.2.0', await machine.applyAndSettle());
    const waits = [
      {
        what: "Secure Boot's db",
        state: 'waiting',
        why: expect.stringContaining('with its recovery key at hand') as string,
      },
    ];
    await expect.poll(async () => (await machine.update('status'))['after'], POLL).toMatchObject(waits);
    expect(await machine.update('finish')).toMatchObject({ after: waits, sealed: false });
    await restart();
    await isOpen('8.2.0', await machine.status());

    expect(await machine.update('finish', '--recovery-key-at-hand')).toMatchObject({
      after: [],
      sealed: true,
    });
    const seen = machine.machine.events.length;
    await machine.root('sync; reboot').catch(() => undefined);
    await machine.machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    const { status } = await machine.machine.waitForReport('started', HEALTHY_LIMIT_MS);
    expect(status.problems.join()).toMatch(/the TPM does not open .*: Secure Boot or its keys/);
    // Its host key is on the state that stays shut: this boot has another one.
    const answers = (): Promise<string> =>
      sshAccess(machine.machine, versions.third.user)
        .then(slipStatus)
        .then(
          ({ image }) => image.version,
          () => 'not yet',
        );
    await expect.poll(answers, POLL).toBe('8.2.0');

    const locked = machine.machine.events.length;
    await ssh(machine.access, 'slip state unlock --enrol', `${recoveryKey}\n`).catch(() => undefined);
    const opened = await machine.settled(locked);
    await expect.poll(answers, POLL).toBe('8.2.0');
    await isOpen('8.2.0', opened);
    expect(await machine.update('status')).toMatchObject({ committed: { version: '8.2.0' }, after: [] });
    await restart();
    await isOpen('8.2.0', await machine.status());
  });

  async function isOpen(version: string, status: MachineStatus): Promise<void> {
    expect(status).toMatchObject({ boot: 'healthy', problems: [], image: { version } });
    expect(await ssh(machine.access, 'slip state show')).toMatch(/^encryption +LUKS2, opened by the TPM\n/m);
    expect(await machine.root('cat /var/lib/slipway/test-state')).toBe('kept\n');
  }

  async function restart(): Promise<void> {
    const seen = machine.machine.events.length;
    await machine.root('sync; reboot').catch(() => undefined);
    await machine.settled(seen);
  }
});
