import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ssh } from '../machine.ts';
import { startUpdatingMachine, type UpdatingMachine } from './machine.ts';
import { openTestRepository, type TestRepository } from './repository.ts';
import { buildVersion } from './versions.ts';

const LIMIT_MS = 600_000;
/** Two minutes that `npm test` has not left. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';

/** Nobody gives orders: slipd's timer polls, the updater decides, and the machine is on the new version. */
describe.runIf(FULL)('a machine that follows by itself', { timeout: LIMIT_MS }, () => {
  let repository: TestRepository;
  let machine: UpdatingMachine;

  beforeAll(async () => {
    const first = await buildVersion('1.0.0');
    repository = await openTestRepository('follow');
    await repository.publish(first);
    machine = await startUpdatingMachine('follow', first, repository);
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
  });

  test('polls what costs nothing, then takes the new version in its window, keeps it, and goes on polling', async () => {
    for (const setting of ['poll 2s', "windows '00:00-24:00 Europe/Berlin'", 'enabled true'])
      await ssh(machine.access, `slip update config ${setting}`);
    const polls = (): number => repository.requests.filter(({ path }) => path === '/timestamp.json').length;
    await expect.poll(polls, { timeout: 120_000, interval: 1000 }).toBeGreaterThanOrEqual(4);
    // With nothing new, one small file is asked for, and no more.
    const others = repository.requests.slice(-2).filter(({ path }) => path !== '/timestamp.json');
    expect(others).toEqual([]);

    const seen = machine.machine.events.length;
    await repository.publish(await buildVersion('1.1.0'));
    const status = await machine.settled(seen, 240_000);
    expect(status).toMatchObject({ boot: 'healthy', slot: 'b', image: { version: '1.1.0' } });
    expect((await machine.update('history'))['events']).toMatchObject([
      { event: 'committed', version: '1.0.0' },
      { event: 'installed', version: '1.1.0' },
      { event: 'switched', version: '1.1.0' },
      { event: 'committed', version: '1.1.0' },
    ]);
    const before = polls();
    await expect.poll(polls, { timeout: 120_000, interval: 1000 }).toBeGreaterThan(before);
  });
});
