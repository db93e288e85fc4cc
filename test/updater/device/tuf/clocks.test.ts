/**
 * Clocks that are wrong, timestamps that were not signed again in time, and what is left of attacks (TUF 5.3.10; decisions.md 21).
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DAY_MS, EPOCH_MS, makeRepository, makeRole } from '../../tuf-repository.ts';
import { repository, machine } from './attacked.ts';

describe('clocks', () => {
  test('failure 38: ten years back, expiry is judged by what offline keys have signed', async () => {
    machine.clockMs = EPOCH_MS - 3650 * DAY_MS;
    await repository.publish();
    const metadata = await machine.refresh();
    expect(metadata.nowMs).toBe(EPOCH_MS);
    // A timestamp that ended before the newest targets were signed is no freeze that one could hide.
    repository.nowMs = EPOCH_MS + 100 * DAY_MS;
    await repository.publish();
    await machine.refresh();
    repository.nowMs = EPOCH_MS;
    repository.versions['timestamp'] = 500;
    await repository.refresh();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
  });

  test('failure 38: fifty years ahead nothing is believed and nothing is spoilt; with the right time all goes on', async () => {
    machine.clockMs = EPOCH_MS + 50 * 365 * DAY_MS;
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    expect((await machine.load())?.timestampExpired).toBe(true);
    machine.clockMs = EPOCH_MS + 3_600_000;
    const metadata = await machine.refresh();
    expect(metadata).toMatchObject({ timestampExpired: false, nowMs: machine.clockMs });
  });

  test('an image is never older than its build', async () => {
    machine.clockMs = 0;
    machine.buildTimeMs = EPOCH_MS + 30 * DAY_MS;
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
  });

  test('targets with a date far ahead, signed by mistake or with a stolen key, are undone by rotating that key', async () => {
    repository.nowMs = Date.parse('2090-01-01T00:00:00Z');
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    expect(await machine.load()).toMatchObject({ nowMs: repository.nowMs, timestampExpired: true });
    repository.nowMs = EPOCH_MS;
    await repository.publish();
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'metadata.expired' });
    await repository.rotateRoot({ targets: await makeRole(2) });
    await repository.publish();
    expect((await machine.refresh()).nowMs).toBe(machine.clockMs);
  });
});

test('failure 39: a timestamp that was not signed again in time stops new updates alone, and is told', async () => {
  machine.clockMs = EPOCH_MS + 9 * DAY_MS;
  await expect(machine.refresh()).rejects.toMatchObject({
    code: 'metadata.expired',
    hint: expect.stringContaining('slipway repo refresh') as string,
  });
  const stored = await machine.load();
  expect(stored?.timestampExpired).toBe(true);
  expect(stored?.targets.size).toBe(1);
});

test('what is stored after an attack is what was there, byte for byte', async () => {
  const stored = (): string[] =>
    ['timestamp.json', 'snapshot.json', 'targets.json'].map((name) =>
      readFileSync(join(machine.directory, name), 'utf8'),
    );
  const before = stored();
  const other = await makeRepository();
  await expect(machine.refresh(other.fetch)).rejects.toMatchObject({ code: 'metadata.invalid' });
  expect(stored()).toEqual(before);
});
