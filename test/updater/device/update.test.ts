/** `slip update`, command by command, as an operator meets it. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { SlipwayError } from '../../../spec/error.ts';
import { publish, testMachine, type TestMachine } from './machine.ts';
import { sha256 } from './switch/memory-disk.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-update-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let machine: TestMachine;
beforeEach(async () => {
  machine = await testMachine(folder);
});

const LATER = {
  channels: {
    stable: { startsAt: Date.parse('2026-03-02T00:00:00Z') / 1000, curve: [[0, 1_000_000]] as const },
  },
};

test('check: nothing new, then a version with its size and notes, before anything of it is fetched', async () => {
  expect((await machine.update('check')).stdout).toBe('1.0.0 is the newest version for this machine\n');
  await publish(machine, '1.1.0', { manifest: { notes: 'Faster.\n\u001b[31mAnd red.' } });
  const { code, stdout } = await machine.update('check');
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^running +1\.0\.0\navailable +1\.1\.0\ndownload +200 B \(the whole image\)\nwhen +due since/,
  );
  expect(stdout).toMatch(/notes +Faster\.\n +[ ]\[31mAnd red\.\n$/);
  expect((await machine.update('check', '--json')).json()).toMatchObject({
    running: '1.0.0',
    available: '1.1.0',
    download: { kind: 'full', bytes: 200 },
  });
  // With the same salt, what is here already need not be fetched.
  machine.salt = sha256('salt');
  expect((await machine.update('check', '--json')).json()).toMatchObject({ download: { kind: 'blocks' } });
  expect(machine.called).toEqual([]);
  expect(machine.repository.requests.filter((name) => name.endsWith('.payload'))).toEqual([]);
});

test('apply, restart, good: the new version, and its history', async () => {
  await publish(machine, '1.1.0');
  const applied = await machine.update('apply', '--json');
  expect(applied.json()).toMatchObject({
    outcome: 'switched',
    from: '1.0.0',
    version: '1.1.0',
    reboot: true,
  });
  expect(machine.restarts).toBe(1);
  expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi', 'minimal_1.1.0+3.efi']);
  await machine.restart();
  expect((await machine.update('status', '--json')).json()).toMatchObject({
    state: 'trial',
    running: { version: '1.1.0', trial: true },
  });
  machine.clockMs += 60_000;
  await machine.judge('good');
  expect((await machine.update('status')).stdout).toMatch(
    /running +minimal 1\.1\.0 .*slot b\), good since 2026-03-01 01:01:00Z/,
  );
  const { events } = (await machine.update('history', '--json')).json();
  expect(events).toMatchObject([
    { event: 'installed', version: '1.1.0', from: '1.0.0' },
    { event: 'switched', version: '1.1.0' },
    { event: 'committed', version: '1.1.0' },
  ]);
  expect((await machine.update('apply')).stdout).toContain('1.1.0 is the newest version');
});

test('apply takes what is not due yet: somebody asked for it', async () => {
  await publish(machine, '1.1.0', { entry: LATER });
  expect((await machine.update('check')).stdout).toMatch(/when +due 2026-03-02 00:00:00Z, in 23h/);
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ outcome: 'switched' });
});

test('apply --download-only, then apply: nothing is fetched twice', async () => {
  await publish(machine, '1.1.0');
  expect((await machine.update('apply', '--download-only')).stdout).toContain('1.1.0 lies ready');
  expect(machine.restarts).toBe(0);
  expect((await machine.update('status')).stdout).toMatch(/ready +1\.1\.0 lies ready/);
  expect((await machine.update('check')).stdout).toContain('nothing: it lies ready');
  machine.called.length = 0;
  await machine.update('apply', '--no-reboot');
  expect(machine.called).toEqual(['switchTo']);
  expect(machine.restarts).toBe(0);
  expect((await machine.update('status')).stdout).toMatch(/next +1\.1\.0: the next start/);
});

test('failure 3: an interruption before the first byte, or after some, leaves nothing that is in the way, and status says so', async () => {
  await publish(machine, '1.1.0');
  machine.before = (part) => {
    if (part === 'prepareSlot') throw new SlipwayError('fetch.failed', 'the cable is out');
  };
  expect((await machine.update('apply')).stderr).toContain('slip update: the cable is out');
  expect((await machine.update('status', '--json')).json()).toMatchObject({ state: 'idle' });
  // Killed: the lock of a process that is gone lies there.
  machine.system.give('/run/slipway/update/lock', '999999 12345\n');
  machine.before = (part) => {
    if (part === 'commitSlot') throw new SlipwayError('fetch.failed', 'the cable is out again');
  };
  expect((await machine.update('apply')).code).toBe(1);
  expect((await machine.update('status')).stdout).toMatch(/interrupted +1\.1\.0 is here in part/);
  // Not "already up to date", not "already there".
  expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
  machine.before = () => undefined;
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ outcome: 'switched' });
});

test('failure 9: how many versions there are changes nothing in how many files are fetched', async () => {
  const requests = async (count: number): Promise<readonly string[]> => {
    machine = await testMachine(folder);
    for (let index = 1; index <= count; index += 1) await publish(machine, `1.${index}.0`);
    machine.repository.requests.length = 0;
    expect((await machine.update('check', '--json')).json()).toMatchObject({ available: `1.${count}.0` });
    return machine.repository.requests;
  };
  const one = await requests(1);
  const many = await requests(91);
  expect(many).toHaveLength(one.length);
  // Of all the manifests, that of the one which is taken.
  expect(many.filter((name) => name.includes('release_'))).toHaveLength(1);
});

test('wrong software: what a mirror gives under the name of a release, or a release says of another, is not installed', async () => {
  await publish(machine, '1.1.0');
  const { files } = machine.repository;
  const name = [...files.keys()].find((key) => key.includes('release_minimal_1.1.0')) ?? '';
  const honest = files.get(name) ?? new Uint8Array();
  await publish(machine, '1.0.1');
  const other = [...files.keys()].find((key) => key.includes('release_minimal_1.0.1')) ?? '';
  // The mirror's: the manifest of another version, and the right one with another number in it.
  for (const bytes of [files.get(other), Buffer.from(Buffer.from(honest).toString().replace('256', '255'))]) {
    files.set(name, bytes ?? new Uint8Array());
    expect((await machine.update('apply')).stderr).toContain('the manifest of 1.1.0 is not what was signed');
  }
  expect([machine.called, machine.disk.names()]).toEqual([[], ['minimal_1.0.0.efi']]);
  files.set(name, honest);
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ version: '1.1.0' });
});

test.each([
  ['another image', { image: 'maximal' }],
  ['another architecture', { architecture: 'arm64' as const }],
  ['another version', { version: '1.0.5' }],
])('wrong software: a signed manifest of %s is not installed', async (_, manifest) => {
  await publish(machine, '1.1.0', { manifest });
  expect((await machine.update('apply')).code).toBe(1);
  expect([machine.called, machine.disk.names()]).toEqual([[], ['minimal_1.0.0.efi']]);
  await publish(machine, '1.2.0');
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ version: '1.2.0' });
});

test('two at once: the second is refused, at once and with a reason', async () => {
  await publish(machine, '1.1.0');
  let second: Awaited<ReturnType<TestMachine['update']>> | undefined;
  machine.before = async (part) => {
    if (part === 'applyRoot') second ??= await machine.update('apply', '--json');
  };
  await machine.update('apply');
  expect(second?.code).toBe(1);
  expect(second?.json()).toMatchObject({ error: { code: 'update.busy' } });
});

test('a version that is withdrawn while it is fetched is not switched to', async () => {
  await publish(machine, '1.1.0');
  machine.before = async (part) => {
    if (part !== 'applyUki') return;
    machine.repository.brakes = {
      stable: {
        format: '1.0',
        releases: { 'release_minimal_1.1.0_amd64.json': { action: 'withdraw', reason: 'it eats data' } },
      },
    };
    await machine.repository.publish();
  };
  const { code, stderr } = await machine.update('apply');
  expect(code).toBe(1);
  expect(stderr).toContain('1.1.0: withdrawn: it eats data');
  expect(machine.disk.names()).toEqual(['minimal_1.0.0.efi']);
  expect(machine.restarts).toBe(0);
});

test('expired metadata: nothing new starts on their word; a rollback does', async () => {
  machine = await testMachine(folder, { before: '0.9.0' });
  await publish(machine, '1.1.0');
  machine.clockMs += 30 * 86_400_000;
  const { code, stderr } = await machine.update('apply');
  expect(code).toBe(1);
  expect(stderr).toMatch(/expired/);
  expect((await machine.update('rollback', '--json')).json()).toMatchObject({ version: '0.9.0' });
});

test('apply --version: what is named, as far as nothing signed speaks against it', async () => {
  await publish(machine, '1.1.0');
  await publish(machine, '1.2.0', { entry: { barrier: true } });
  await publish(machine, '1.3.0');
  expect((await machine.update('apply', '--version', '1.3.0')).stderr).toContain('1.3.0: 1.2.0 comes first');
  expect((await machine.update('apply', '--version', '1.0.0')).stderr).toContain('1.0.0 is what runs');
  expect((await machine.update('apply', '--version', '7.0')).stderr).toContain('it has: 1.3.0, 1.2.0, 1.1.0');
  await publish(machine, '0.9.0');
  expect((await machine.update('apply', '--version', '0.9.0')).stderr).toMatch(/not newer.*\n.*rollback/);
  await machine.update('hold', '1.1.0');
  expect((await machine.update('apply', '--version', '1.1.0', '--json')).json()).toMatchObject({
    version: '1.1.0',
  });
});

test('failure 28: rolled back, then the same version is offered: not taken; the next one is', async () => {
  await publish(machine, '1.1.0');
  await machine.update('apply');
  await machine.restart();
  await machine.judge('bad', 'gate web is not healthy');
  await machine.restart();
  expect(machine.running.version).toBe('1.0.0');
  expect((await machine.update('status')).stdout).toMatch(/failed +1\.1\.0: gate web is not healthy/);
  expect((await machine.update('apply')).stdout).toBe(
    '1.0.0 is the newest version for this machine\n1.1.0: failed here before: gate web is not healthy\n',
  );
  expect((await machine.update('follow')).code).toBe(0);
  expect(machine.restarts).toBe(1);
  const { events } = (await machine.update('history', '--json')).json() as { events: { event: string }[] };
  expect(events.find(({ event }) => event === 'failed')).toMatchObject({
    version: '1.1.0',
    detail: 'gate web is not healthy',
    logs: ['web: cannot open its door'],
  });
  await publish(machine, '1.2.0');
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ version: '1.2.0' });
});

test('failure 31: after a rollback, what booted is reported, not what was wanted', async () => {
  await publish(machine, '1.1.0');
  await machine.update('apply');
  await machine.restart();
  await machine.judge('bad');
  await machine.restart();
  const status = (await machine.update('status', '--json')).json();
  expect(status).toMatchObject({ running: { version: '1.0.0' }, state: 'idle', next: null });
  expect((await machine.update('explain', '--json')).json()).toMatchObject({
    running: '1.0.0',
    target: null,
  });
});

test('failure 33: a history that cannot be written changes nothing', async () => {
  await publish(machine, '1.1.0');
  // A directory lies where the file should be.
  machine.system.makeDirectory('/var/lib/slipway/update/history.jsonl/x');
  expect((await machine.update('apply', '--json')).json()).toMatchObject({ outcome: 'switched' });
  await machine.restart();
  await machine.judge('good');
  expect((await machine.update('status', '--json')).json()).toMatchObject({
    running: { version: '1.1.0', trial: false },
  });
  expect((await machine.update('history')).stdout).toBe('nothing yet\n');
});

test('the history is bounded', async () => {
  const lines = Array.from({ length: 500 }, (_, at) =>
    JSON.stringify({ at, event: 'switched', version: `${at}` }),
  );
  machine.system.give('/var/lib/slipway/update/history.jsonl', `${lines.join('\n')}\nhalf a li`);
  await publish(machine, '1.1.0');
  await machine.update('apply', '--download-only');
  const { events } = (await machine.update('history', '--json')).json() as { events: { version: string }[] };
  expect(events).toHaveLength(100);
  expect(events.at(-1)?.version).toBe('1.1.0');
});

test('failure 2: on a metered network the whole image is asked for', async () => {
  machine = await testMachine(folder, { settings: { metered: true } });
  await publish(machine, '1.1.0');
  const { code, stderr } = await machine.update('apply');
  expect(code).toBe(1);
  expect(stderr).toMatch(/no delta from the version that runs to 1\.1\.0: it takes 200 B\n.*--yes-full/);
  expect(machine.called).toEqual([]);
  expect((await machine.update('follow')).code).toBe(0);
  expect(machine.called).toEqual([]);
  expect((await machine.update('explain')).stdout).toContain('--yes-full takes it');
  expect((await machine.update('apply', '--yes-full', '--json')).json()).toMatchObject({
    outcome: 'switched',
  });
});

test('hold and unhold', async () => {
  await publish(machine, '1.1.0');
  expect((await machine.update('hold', '1.1.0')).stdout).toBe('1.1.0 is held\n');
  expect((await machine.update('check')).stdout).toContain('1.1.0: held by an operator');
  expect((await machine.update('hold')).stdout).toContain('no newer version');
  expect((await machine.update('status')).stdout).toMatch(/held +every newer version/);
  expect((await machine.update('unhold')).stdout).toBe('nothing is held\n');
  expect((await machine.update('check', '--json')).json()).toMatchObject({ available: '1.1.0' });
  expect((await machine.update('unhold', '1.1.0')).code).toBe(1);
  expect((await machine.update('hold', 'x y')).stderr).toContain("'x y' is no version");
});

test('config: shown with where it comes from, set, refused, unset', async () => {
  expect((await machine.update('config', 'poll')).stdout).toBe('poll  1h  image\n');
  expect((await machine.update('config', 'poll', '10m')).stdout).toBe('poll  10m  command\n');
  expect((await machine.update('config', '--json')).json()).toMatchObject({
    settings: { poll: { value: '10m', source: 'command' }, channel: { value: 'stable', source: 'image' } },
  });
  expect((await machine.update('config', 'poll', 'often')).stderr).toContain(
    'it takes a time from 1s to 168h',
  );
  expect((await machine.update('config', 'pol')).stderr).toContain("did you mean 'poll'?");
  expect((await machine.update('config', 'poll', '--unset')).stdout).toBe('poll  1h  image\n');
  expect((await machine.update('config', 'windows', 'sat 02:00-04:00 Europe/Berlin')).stdout).toBe(
    'windows  sat 02:00-04:00 Europe/Berlin  command\n',
  );
});

test('explain: each version, when and why', async () => {
  await publish(machine, '1.1.0');
  await publish(machine, '1.2.0', { entry: LATER });
  await publish(machine, '1.3.0', { entry: { requires: ['time-travel'] } });
  const { stdout } = await machine.update('explain');
  expect(stdout).toMatch(/channel +stable: its brake is in force/);
  expect(stdout).toMatch(/does next +fetches and installs 1\.1\.0/);
  expect(stdout).toMatch(/1\.3\.0 +needs what this version has not: time-travel/);
  expect(stdout).toMatch(
    /1\.2\.0 +due 2026-03-02 00:00:00Z, in 23h \(at \d+\.\d % of the machines, by chance\)/,
  );
  expect(stdout).toMatch(/1\.1\.0 +due since 2026-03-01 00:00:00Z/);
  machine.online = false;
  expect((await machine.update('explain')).stdout).toMatch(/offline +these are stored metadata/);
});

test('failure 32: status, gate and rollback need no network', async () => {
  machine = await testMachine(folder, { before: '0.9.0' });
  machine.online = false;
  expect((await machine.update('gate')).code).toBe(0);
  expect((await machine.update('status')).code).toBe(0);
  expect((await machine.update('rollback')).code).toBe(0);
  expect((await machine.update('check')).stderr).toContain('no mirror could be read');
});

test('wrong use is exit code 2, with a hint', async () => {
  for (const argv of [['frob'], ['check', 'x'], ['apply', '--version'], ['apply', '--frob']])
    expect((await machine.update(...argv)).code, argv.join(' ')).toBe(2);
  expect((await machine.update('--help')).stdout).toContain('rollback');
  expect((await machine.update('--help')).stdout).not.toContain('follow');
  expect((await machine.update('apply', '--help')).stdout).toContain('--yes-full');
});

test('what this machine cannot run is told by check, and refused before anything is fetched', async () => {
  await publish(machine, '1.1.0');
  machine.unmet = [
    { code: 'memory', message: '1.1.0 needs 256 MiB of memory to start, and this machine has 128' },
  ];
  expect((await machine.update('check')).stdout).toMatch(/but +1\.1\.0 needs 256 MiB/);
  expect((await machine.update('apply')).stderr).toContain('1.1.0 needs 256 MiB of memory');
  expect((await machine.update('follow')).code).toBe(0);
  expect(machine.called).toEqual([]);
});
