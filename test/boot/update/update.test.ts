import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openTestRepository, type TestRepository } from './repository.ts';
import { startUpdatingMachine, type UpdatingMachine } from './machine.ts';
import { buildVersion, type BuiltVersion } from './versions.ts';

const LIMIT_MS = 600_000;

/** One machine that is updated again and again, from a repository of static files over plain HTTP, with Secure Boot on. */
describe('a machine that follows a repository', { timeout: LIMIT_MS }, () => {
  let first: BuiltVersion;
  let second: BuiltVersion;
  let bad: BuiltVersion;
  let third: BuiltVersion;
  let repository: TestRepository;
  let machine: UpdatingMachine;

  beforeAll(async () => {
    first = await buildVersion('1.0.0');
    second = await buildVersion('1.1.0');
    bad = await buildVersion('1.2.0', 'gate');
    third = await buildVersion('1.3.0');
    repository = await openTestRepository('update');
    await repository.publish(first, second);
    machine = await startUpdatingMachine('update', first, repository);
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await repository.close();
  });

  test('sees the new version, and what it costs, before anything is fetched', async () => {
    const check = await machine.update('check');
    expect(check).toMatchObject({ available: '1.1.0', download: { kind: 'delta' } });
    const { bytes } = check['download'] as { bytes: number };
    expect(bytes).toBeLessThan(64_000);
    expect(repository.requests.filter(({ path }) => path.endsWith('.payload'))).toEqual([]);
  });

  test('1.0 -> 1.1 by delta: started, found good, kept, with its state', async () => {
    await machine.root('echo kept >/var/lib/slipway/test-state; sync');
    repository.requests.length = 0;
    const status = await machine.applyAndSettle();
    expect(status).toMatchObject({ boot: 'healthy', slot: 'b', problems: [], image: { version: '1.1.0' } });
    expect(await machine.root('cat /var/lib/slipway/test-state /usr/lib/slipway/version-note')).toBe(
      'kept\nthis is 1.1.0\n',
    );
    const sent = repository.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    expect(sent).toBeLessThan(64_000);
    expect(await machine.update('status')).toMatchObject({ state: 'idle', committed: { version: '1.1.0' } });
    expect(machine.machine.console()).toContain('UEFI Secure Boot is enabled');
  });

  test('a version whose service fails its gate after 10 seconds: back by itself, with the reason and what the service said', async () => {
    await repository.publish(bad);
    const status = await machine.applyAndSettle();
    // The first time that it is healthy is the bad version's own; see what comes after.
    const back =
      status.image.version === '1.1.0' ? status : await machine.settled(machine.machine.events.length);
    expect(back).toMatchObject({ boot: 'healthy', slot: 'b', image: { version: '1.1.0' } });
    expect(back.update?.failed).toMatchObject([{ version: '1.2.0' }]);
    expect(back.update?.failed[0]?.reason).toMatch(/fragile/);
    expect(back.update?.failed[0]?.logs.join('\n')).toMatch(/the database cannot be reached/);
  });

  test('it is not tried again, and the next good version is installed', async () => {
    expect(await machine.update('apply')).toMatchObject({ outcome: 'up-to-date', from: '1.1.0' });
    await repository.publish(third);
    const status = await machine.applyAndSettle();
    expect(status).toMatchObject({ boot: 'healthy', slot: 'a', image: { version: '1.3.0' } });
    expect(await machine.update('status')).toMatchObject({ committed: { version: '1.3.0' } });
  });
});
