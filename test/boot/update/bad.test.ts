import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineStatus } from '../../../spec/machine.ts';
import { HEALTHY_LIMIT_MS } from '../machine.ts';
import { hangingInitrd } from './hanging.ts';
import { startUpdatingMachine, type UpdatingMachine } from './machine.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { applyUntilReset, remembered, runsAgain } from './returning.ts';
import { buildVersion, type BuiltVersion } from './versions.ts';

/** What waits minutes for watchdogs and deadlines, or takes more of `npm test` than its half hour has left. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;

/** One machine that is offered one bad version after another. Each test ends on the version that was good before. */
describe('bad versions', { timeout: 2 * LIMIT_MS }, () => {
  let first: BuiltVersion;
  let repository: TestRepository;
  let machine: UpdatingMachine;

  beforeAll(async () => {
    first = await buildVersion('2.0.0');
    repository = await openTestRepository('bad');
    await repository.publish(first);
    machine = await startUpdatingMachine('bad', first, repository, { expected: ['panic'] });
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
  });

  interface Returned {
    readonly status: MachineStatus;
    readonly reason: string;
    readonly logs: readonly string[];
  }

  /** Applies a bad version and waits for what the machine does by itself; it must not try it again. */
  async function returnsFrom(bad: BuiltVersion, good: string): Promise<Returned> {
    await repository.publish(bad);
    await applyUntilReset(machine, LIMIT_MS);
    const status = await runsAgain(machine, good, LIMIT_MS);
    const { reason, logs } = await remembered(machine, bad.version, HEALTHY_LIMIT_MS);
    expect(await machine.update('apply')).toMatchObject({ outcome: 'up-to-date', from: good });
    expect(await machine.update('status')).toMatchObject({ state: 'idle', committed: { version: good } });
    return { status, reason, logs };
  }

  test.runIf(FULL)('a kernel that panics: three tries, and back', async () => {
    const before = machine.machine.console().length;
    const { status, reason } = await returnsFrom(await buildVersion('2.1.0', 'panic'), '2.0.0');
    expect(status).toMatchObject({ slot: 'a', problems: [] });
    expect(reason).toMatch(/started 3 times and did not come up/);
    expect(
      machine.machine
        .console()
        .slice(before)
        .match(/Kernel panic - not syncing/g),
    ).toHaveLength(3);
  });

  test.runIf(FULL)('a version that could never be updated again: back at once, with the reason', async () => {
    const seen = machine.machine.events.length;
    const { reason } = await returnsFrom(await buildVersion('2.2.0', 'updater'), '2.0.0');
    expect(reason).toMatch(/gate updater is not healthy/);
    // Into the trial, and out of it.
    const resets = machine.machine.events.slice(seen).filter(({ event }) => event === 'RESET');
    expect(resets).toHaveLength(2);
  });

  test.runIf(FULL)('the cable is pulled as a good one starts: it stays', async () => {
    const good = await buildVersion('2.3.0');
    await repository.publish(good);
    await applyUntilReset(machine, LIMIT_MS);
    await machine.machine.qmp.execute('set_link', { name: 'net0', up: false });
    const { status } = await machine.machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
    expect(status).toMatchObject({ slot: 'b', image: { version: '2.3.0' } });
    await machine.machine.qmp.execute('set_link', { name: 'net0', up: true });
    await expect
      .poll(() => machine.update('status').catch(String), { timeout: HEALTHY_LIMIT_MS, interval: 2000 })
      .toMatchObject({ state: 'idle', committed: { version: '2.3.0' } });
    expect((await machine.status()).update?.failed.map(({ version }) => version)).toEqual(['2.1.0', '2.2.0']);
  });

  describe.runIf(FULL)('that nobody but a watchdog or a deadline gives up', () => {
    test('an initrd that hangs', async () => {
      const { reason } = await returnsFrom(await hangingInitrd(await buildVersion('2.4.0')), '2.3.0');
      expect(reason).toMatch(/started 3 times and did not come up/);
      expect(machine.machine.events.some(({ event }) => event === 'WATCHDOG')).toBe(true);
    });

    test('a supervisor that crashes', async () => {
      const { reason } = await returnsFrom(await buildVersion('2.5.0', 'supervisor'), '2.3.0');
      expect(reason).toMatch(/started 3 times and did not come up/);
    });

    test('a network service that configures nothing', async () => {
      const { reason } = await returnsFrom(await buildVersion('2.6.0', 'network'), '2.3.0');
      expect(reason).toMatch(/gate network is not healthy: \w+ (is down|has no IPv4 address)/);
    });

    test('after all of them the next good one is installed', async () => {
      await repository.publish(await buildVersion('2.7.0'));
      await applyUntilReset(machine, LIMIT_MS);
      expect(await runsAgain(machine, '2.7.0', LIMIT_MS)).toMatchObject({ slot: 'a', problems: [] });
    });
  });
});
