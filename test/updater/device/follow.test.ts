/** `follow`: what the machine does by itself, over days. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { UPDATE_PATHS, type UpdateSettings } from '../../../spec/update.ts';
import { INSTANT } from '../../../updater/release/curve.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { parseWindows } from '../../../updater/device/policy/window-text.ts';
import { publish, testMachine, type TestMachine } from './machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-follow-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const HOUR = 3_600_000;
const at = (text: string): number => Date.parse(text);
const machineWith = (settings: Partial<UpdateSettings> = {}): Promise<TestMachine> =>
  testMachine(folder, { settings });

/** Unix time at which slipd starts it again. */
function nextLook(machine: TestMachine): number {
  return Number(machine.system.readText(UPDATE_PATHS.next)) * 1000;
}

interface Poll {
  readonly mirrors: readonly string[];
  readonly followAt: number;
}

function poll(machine: TestMachine): Poll {
  return JSON.parse(machine.system.readText('/run/slipway/update/poll.json') ?? '') as Poll;
}

test('nothing new: looks again in about an hour, and polls for news until then', async () => {
  const machine = await machineWith();
  expect((await machine.update('follow')).code).toBe(0);
  const wait = nextLook(machine) - machine.clockMs;
  expect(wait).toBeGreaterThanOrEqual(HOUR / 2);
  expect(wait).toBeLessThanOrEqual(1.5 * HOUR + 1000);
  expect(poll(machine)).toMatchObject({ mirrors: ['http://updates.example'] });
  expect(machine.called).toEqual([]);
});

test('what is due is fetched, switched to, restarted into; good; and then the next', async () => {
  const machine = await machineWith();
  await publish(machine, '1.1.0');
  await machine.update('follow');
  expect(machine.restarts).toBe(1);
  await machine.restart();
  expect(machine.running).toMatchObject({ version: '1.1.0', trial: true });
  // On trial nothing is done.
  await publish(machine, '1.2.0');
  machine.called.length = 0;
  await machine.update('follow');
  expect(machine.called).toEqual([]);
  await machine.judge('good');
  await machine.update('follow');
  await machine.restart();
  expect(machine.running.version).toBe('1.2.0');
});

test('not due yet: started again when it is', async () => {
  const machine = await machineWith();
  const startsAt = machine.clockMs / 1000 + 600;
  await publish(machine, '1.1.0', { entry: { channels: { stable: { startsAt, curve: INSTANT } } } });
  await machine.update('follow');
  expect(machine.restarts).toBe(0);
  expect(nextLook(machine)).toBe((startsAt + 1) * 1000);
  expect(poll(machine).followAt).toBe(startsAt);
  machine.clockMs = nextLook(machine);
  await machine.update('follow');
  expect(machine.restarts).toBe(1);
});

test('failure 35: fetched for the window, overtaken by a newer one, which is switched to in the window', async () => {
  const windows = parseWindows('mon 02:00-04:00') ?? [];
  const machine = await machineWith({ windows, pollMs: 168 * HOUR });
  // A Sunday.
  expect(new Date(machine.clockMs).getUTCDay()).toBe(0);
  await publish(machine, '1.1.0');
  await machine.update('follow');
  expect((await machine.update('status', '--json')).json()).toMatchObject({
    state: 'ready',
    attempt: { version: '1.1.0' },
  });
  expect(machine.restarts).toBe(0);
  expect(nextLook(machine)).toBe(at('2026-03-02T02:00:01Z'));
  await publish(machine, '1.2.0');
  machine.clockMs = nextLook(machine);
  await machine.update('follow');
  expect(machine.restarts).toBe(1);
  expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.2.0+3.efi']);
});

test('failure 37: the window is looked at again before the switch, and before the restart', async () => {
  const windows = parseWindows('mon 02:00-04:00') ?? [];
  const machine = await machineWith({ windows });
  await publish(machine, '1.1.0');
  machine.clockMs = at('2026-03-02T03:30:00Z');
  // The download takes until the window is over.
  machine.before = (part) => {
    if (part === 'applyRoot') machine.clockMs = at('2026-03-02T04:00:01Z');
  };
  await machine.update('follow');
  expect(machine.called).not.toContain('switchTo');
  expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi']);

  // The next week: the switch itself takes too long.
  machine.before = (part) => {
    if (part === 'switchTo') machine.clockMs = at('2026-03-09T04:00:00Z');
  };
  await machine.repository.refresh();
  machine.clockMs = at('2026-03-07T12:00:00Z');
  machine.repository.nowMs = machine.clockMs;
  await machine.repository.publish();
  machine.clockMs = at('2026-03-09T03:59:00Z');
  await machine.update('follow');
  expect(machine.called).toContain('switchTo');
  expect(machine.restarts).toBe(0);
  // And the week after, it restarts.
  machine.before = () => undefined;
  machine.repository.nowMs = machine.clockMs = at('2026-03-16T02:30:00Z');
  await machine.repository.publish();
  await machine.update('follow');
  expect(machine.restarts).toBe(1);
});

test.each([
  // Summer time is two hours ahead of UTC, winter time one.
  ['in summer', '2026-07-05T00:30:00Z', '2026-07-05T02:30:00Z'],
  ['in winter', '2026-12-06T01:30:00Z', '2026-12-06T03:30:00Z'],
  // The night in which the hour from 2 to 3 does not exist: the window is from 3 to 4.
  ['in the night that is an hour shorter', '2026-03-29T01:30:00Z', '2026-03-29T02:30:00Z'],
])('a window by the clock of Berlin, %s', async (_, inside, behind) => {
  const windows = parseWindows('sun 02:00-04:00 Europe/Berlin') ?? [];
  for (const [time, restarts] of [
    [behind, 0],
    [inside, 1],
  ] as const) {
    const machine = await machineWith({ windows });
    machine.clockMs = machine.repository.nowMs = at(time);
    await publish(machine, '1.1.0');
    await machine.update('follow');
    expect(machine.restarts, time).toBe(restarts);
  }
});

test('paused between download and switch: it waits', async () => {
  const machine = await machineWith();
  await publish(machine, '1.1.0');
  machine.before = async (part) => {
    if (part !== 'commitSlot') return;
    machine.repository.brakes = {
      stable: { format: '1.0', releases: { '*': { action: 'pause', reason: 'something is wrong' } } },
    };
    await machine.repository.publish();
  };
  await machine.update('follow');
  expect(machine.called).not.toContain('switchTo');
  expect((await machine.update('explain')).stdout).toMatch(/1\.1\.0 +paused: something is wrong/);
  machine.repository.brakes = {};
  machine.before = () => undefined;
  await machine.repository.publish();
  await machine.update('follow');
  expect(machine.restarts).toBe(1);
});

test('stopped between switch and restart: it is taken back, so that no power cut starts it', async () => {
  const machine = await machineWith();
  await publish(machine, '1.1.0');
  const pause = async (): Promise<void> => {
    machine.repository.brakes = {
      stable: { format: '1.0', releases: { '*': { action: 'pause', reason: 'something is wrong' } } },
    };
    await machine.repository.publish();
  };
  machine.before = (part) => (part === 'switchTo' ? pause() : undefined);
  await machine.update('follow');
  expect(machine.called).toContain('switchTo');
  expect([machine.restarts, machine.disk.names()]).toEqual([0, ['minimal_1.0.0.efi']]);
  expect((await machine.update('history')).stdout).toMatch(/1\.1\.0 +taken back: paused: something is wrong/);
  await machine.restart();
  expect((await machine.update('status', '--json')).json()).toMatchObject({ failed: [], next: null });
  // An operator who has switched and not restarted: the same.
  machine.before = () => undefined;
  machine.repository.brakes = {};
  await machine.repository.publish();
  await machine.update('apply', '--no-reboot');
  expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+3.efi']);
  await pause();
  await machine.update('follow');
  expect([machine.restarts, machine.disk.names()]).toEqual([0, ['minimal_1.0.0.efi']]);
});

test('a network that is gone: sooner again, then ever later; what lies ready is switched to all the same', async () => {
  const machine = await machineWith({ reboot: 'manual' });
  await publish(machine, '1.1.0');
  await machine.update('follow');
  machine.online = false;
  const waits: number[] = [];
  for (let count = 0; count < 8; count++) {
    expect((await machine.update('follow')).code).toBe(1);
    waits.push(nextLook(machine) - machine.clockMs);
  }
  expect(waits[0]).toBeLessThanOrEqual(91_000);
  expect(waits[7]).toBeGreaterThanOrEqual(HOUR / 2);
  expect((await machine.update('status')).stdout).toMatch(/last error +no mirror could be read/);
  expect(machine.restarts).toBe(0);
  machine.online = true;
  await machine.update('follow');
  expect((await machine.update('status')).stdout).not.toContain('last error');
});

test('failure 34: a failing part is tried once a look, and no loop comes of it', async () => {
  const machine = await machineWith();
  await publish(machine, '1.1.0');
  machine.before = (part) => {
    if (part === 'installUki') throw new SlipwayError('switch.esp-full', 'the boot partition is full');
  };
  for (let count = 0; count < 3; count++) expect((await machine.update('follow')).code).toBe(1);
  expect(machine.called.filter((part) => part === 'installUki')).toHaveLength(3);
  // The slot was filled once.
  expect(machine.called.filter((part) => part === 'applyRoot')).toHaveLength(1);
  expect((await machine.update('status')).stdout).toMatch(/last error +the boot partition is full/);
});

test('failure 30: a version that was given up is not come back to, whatever the next ones do', async () => {
  const machine = await machineWith();
  for (const version of ['1.1.0', '1.2.0']) {
    await publish(machine, version);
    await machine.update('follow');
    await machine.restart();
    expect(machine.running.version).toBe(version);
    await machine.judge('bad', `${version} is no good`);
    await machine.restart();
    expect(machine.running.version).toBe('1.0.0');
  }
  machine.restarts = 0;
  machine.called.length = 0;
  for (let count = 0; count < 3; count++) await machine.update('follow');
  expect([machine.restarts, machine.called]).toEqual([0, []]);
});

test('enabled: false looks at nothing', async () => {
  const machine = await machineWith({ enabled: false });
  await publish(machine, '1.1.0');
  machine.repository.requests.length = 0;
  await machine.update('follow');
  expect(machine.repository.requests).toEqual([]);
  expect(poll(machine).mirrors).toEqual([]);
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ outcome: 'switched' });
});

test('a change by command is looked at soon', async () => {
  const machine = await machineWith();
  await machine.update('follow');
  await machine.update('config', 'channel', 'beta');
  expect(nextLook(machine)).toBeLessThanOrEqual(machine.clockMs);
  expect(machine.system.readText('/run/slipway/update/poll.json')).toBeUndefined();
});
