/** Versions whose state the TPM opens (docs/encryption.md), as an update brings them, and a rollback. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineStatus } from '../../../spec/machine.ts';
import { HEALTHY_LIMIT_MS, ssh } from '../machine.ts';
import { startUpdatingMachine, type UpdatingMachine } from './machine.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { buildVersion, UPDATE_WORK, type BuiltVersion } from './versions.ts';

/** Three starts of a machine. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
const TPM = join(UPDATE_WORK, 'encrypted.tpm');

describe.runIf(FULL)('a machine whose state the TPM opens', { timeout: LIMIT_MS }, () => {
  let versions: Record<'first' | 'second', BuiltVersion>;
  let repository: TestRepository;
  let machine: UpdatingMachine;

  beforeAll(async () => {
    versions = {
      first: await buildVersion('8.0.0', 'encrypted'),
      second: await buildVersion('8.1.0', 'encrypted'),
    };
    repository = await openTestRepository('encrypted');
    await repository.publish(versions.first, versions.second);
    await rm(TPM, { recursive: true, force: true });
    machine = await startUpdatingMachine('encrypted', versions.first, repository, { tpm: TPM });
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

  async function isOpen(version: string, status: MachineStatus): Promise<void> {
    expect(status).toMatchObject({ boot: 'healthy', problems: [], image: { version } });
    expect(await ssh(machine.access, 'slip state show')).toMatch(/^encryption +LUKS2, opened by the TPM\n/m);
    expect(await machine.root('cat /var/lib/slipway/test-state')).toBe('kept\n');
  }
});
