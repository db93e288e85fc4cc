/** From boot to boot, on a machine in a directory: what is adopted, tried, taken back, and what an update on trial is to blame for. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { configure } from '../../../host/provision/configure.ts';
import { runProvision } from '../../../host/provision/provision.ts';
import { SERVICES_PROGRAM } from '../../../host/provision/services/run.ts';
import type { Found } from '../../../host/provision/source/found.ts';
import { look } from '../../../host/provision/stages/look.ts';
import { makeRuntimeDirectory, readStatus } from '../../../host/provision/status.ts';
import { readAdopted, readRecord } from '../../../host/provision/store/adopted.ts';
import { RIGHTS, type ConfigStatus, type ProvisioningPolicy } from '../../../spec/provisioning.ts';
import { createNodeSystem } from '../../../system/node.ts';
import type { System } from '../../../system/system.ts';
import { scratch, type Scratch } from './apply/scratch.ts';

const RUNTIME = '/run/slipway/provision';
const SEED = '/var/lib/slipway/seed/nocloud';
const POLICY: ProvisioningPolicy = {
  format: '1.0',
  sources: { nocloud: RIGHTS, operator: RIGHTS },
  scripts: 'container',
  platform: 'auto',
};

let machine: Scratch;
/** What a web server says at every address; `undefined`: it is away. */
let served: string | undefined;
let asked: number;
/** What the program for services answers. */
let servicesSay: string;
beforeEach(() => {
  machine = scratch();
  served = undefined;
  asked = 0;
  start({ version: '1' });
});
afterEach(() => machine.remove());

/** A power-up: nothing of /run is left. */
function start({ version, trial = false }: { version: string; trial?: boolean }, policy = POLICY): void {
  rmSync(join(machine.root, 'run/slipway'), { recursive: true, force: true });
  machine.write('/run/slipway/boot/root-hash', `hash of ${version}\n`);
  machine.write('/run/slipway/boot/version', `${version}\n`);
  if (trial) machine.write('/run/slipway/boot/trial', '1\n');
  machine.write('/run/etc/hostname', 'minimal-01234567\n');
  machine.write('/usr/lib/slipway/provisioning.json', JSON.stringify(policy));
  machine.write(
    '/usr/lib/slipway/machine.json',
    JSON.stringify({
      image: { name: 'minimal' },
      users: [],
      services: [{ name: 'network' }, { name: 'time' }],
    }),
  );
}

function give(...lines: readonly string[]): void {
  machine.write(`${SEED}/user-data`, ['#cloud-config', ...lines, ''].join('\n'));
  machine.write(`${SEED}/meta-data`, 'instance-id: i-1\n');
}

/** Stands in for `nc`: the server's answer, or no connection. */
function connected(): System {
  const { system } = machine;
  const node = createNodeSystem({ log: () => undefined });
  return {
    ...system,
    open: (path, options) => (path.startsWith('/proc/self/fd/') ? node : system).open(path, options),
    spawn: (argv, options) => {
      if (argv.includes(SERVICES_PROGRAM)) return node.spawn(['printf', '%s', servicesSay], options);
      if (argv[0] !== 'nc') return system.spawn(argv, options);
      asked += 1;
      if (served === undefined) return node.spawn(['false'], options);
      const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${served.length}\r\n\r\n${served}`;
      return node.spawn(['printf', '%s', answer], options);
    },
  };
}

async function provision(...words: string[]): Promise<ConfigStatus> {
  // A process ends there; here its last line comes next.
  const exit = (() => undefined) as unknown as System['exit'];
  await runProvision({ ...connected(), arguments: words, exit });
  return readStatus(machine.system);
}

const ADOPTED = { found: undefined, record: undefined, adopted: undefined, fault: undefined };

/** What the gate `provisioning` says. */
function gate(): string | undefined {
  return machine.read(`${RUNTIME}/problem`)?.trim();
}

const FILES = (content: string): readonly string[] => [
  'write_files:',
  `  - { path: /var/data/motd, content: ${content} }`,
];

/** As an operator types it: kept in files until the process of its own takes it. */
async function apply(minutes: number, lines: readonly string[], network?: string): Promise<ConfigStatus> {
  machine.write(`${RUNTIME}/staged/user-data`, ['#cloud-config', ...lines, ''].join('\n'), 0o600);
  if (network !== undefined) machine.write(`${RUNTIME}/staged/network-config`, network, 0o600);
  return provision('apply-staged', `${minutes}`);
}

test('what is tried returns by itself, with the files that it had changed', async () => {
  give('hostname: one', ...FILES('one'));
  await provision('boot');
  expect(await apply(1, ['hostname: two', ...FILES('two')])).toMatchObject({
    source: 'operator',
    state: 'trying',
  });
  expect(machine.read('/var/data/motd')).toBe('two');
  expect(await provision('revert')).toMatchObject({ source: 'nocloud', state: 'applied', revertsAt: null });
  expect(machine.read('/var/data/motd')).toBe('one');
  expect(machine.read('/run/etc/hostname')).toBe('one\n');
});

test('a machine that restarts in a try comes up with what was before it', async () => {
  give('hostname: one', ...FILES('one'));
  await provision('boot');
  await apply(60, ['hostname: two', ...FILES('two')]);
  start({ version: '1' });
  expect(await look(machine.system, 'present')).toBe('more');
  expect(await provision('boot')).toMatchObject({ source: 'nocloud', state: 'applied' });
  expect(machine.read('/var/data/motd')).toBe('one');
  // And that is all there is to it: the next start is like any other.
  start({ version: '1' });
  expect(await look(machine.system, 'present')).toBe('done');
});

test('what is confirmed stays', async () => {
  give('hostname: one');
  await provision('boot');
  await apply(60, ['hostname: two']);
  await provision('config', 'confirm');
  start({ version: '1' });
  expect(await provision('boot')).toMatchObject({ source: 'operator', state: 'applied' });
  expect(machine.read('/run/etc/hostname')).toBe('two\n');
});

test('a network that was tried on a machine that had nothing is taken away, and the service hears of it', async () => {
  const network = 'version: 2\nethernets: {lan: {match: {name: en*}, addresses: [192.0.2.1/24]}}\n';
  await apply(1, ['hostname: two', 'ntp: {servers: [192.0.2.3]}'], network);
  expect(machine.read('/run/slipway/network/plan')).toContain('192.0.2.1/24');
  expect(machine.started).toContainEqual(['/usr/bin/slip', 'restart', 'network']);
  machine.started.length = 0;
  expect(await provision('revert')).toMatchObject({ source: null, state: 'none' });
  expect(machine.read('/run/slipway/network/plan')).toBeUndefined();
  expect(machine.started).toContainEqual(['/usr/bin/slip', 'restart', 'network']);
  expect(machine.started).toContainEqual(['/usr/bin/slip', 'restart', 'time']);
  expect(machine.read('/run/etc/hostname')).toBe('minimal-01234567\n');
});

test('a version on trial that refuses what the one before allowed fails its gate; the one before does not', async () => {
  give('hostname: one', ...FILES('one'));
  await provision('boot');
  start({ version: '2', trial: true }, { ...POLICY, sources: { nocloud: ['network'] } });
  expect(await look(machine.system, 'present')).toBe('more');
  expect(await provision('boot')).toMatchObject({ state: 'failed' });
  expect(gate()).toMatch(/user-data:4: write_files: refused: .*nocloud: \[network, files\]/);
  // Each start of it, not the first alone.
  start({ version: '2', trial: true }, { ...POLICY, sources: { nocloud: ['network'] } });
  expect(await look(machine.system, 'present')).toBe('more');
  start({ version: '1' });
  expect(await provision('boot')).toMatchObject({ state: 'applied' });
  expect(gate()).toBeUndefined();
});

test('what was refused before is refused still, and no update is to blame', async () => {
  const poor = { ...POLICY, sources: { nocloud: ['network'] } } as const;
  give('hostname: one', ...FILES('one'));
  start({ version: '1' }, poor);
  expect(await provision('boot')).toMatchObject({ state: 'applied' });
  start({ version: '2', trial: true }, poor);
  expect(await provision('boot')).toMatchObject({ state: 'applied' });
  expect(gate()).toBeUndefined();
});

test('a configuration that failed before fails still, and no update is to blame', async () => {
  give('hostname: one', 'write_files: [{ path: /etc/motd, content: x }]');
  expect(await provision('boot')).toMatchObject({ state: 'failed' });
  expect(gate()).toContain('/etc/motd');
  start({ version: '2', trial: true });
  expect(await provision('boot')).toMatchObject({ state: 'failed' });
  expect(gate()).toBeUndefined();
});

test('a version that no longer hears who configured the machine fails its gate, and leaves the record alone', async () => {
  give('hostname: one');
  await provision('boot');
  start({ version: '2', trial: true }, { ...POLICY, sources: { qemu: RIGHTS } });
  expect(await look(machine.system, 'present')).toBe('more');
  expect(await provision('boot')).toMatchObject({ state: 'failed' });
  expect(gate()).toContain('configured by nocloud, which this image does not hear');
  start({ version: '1' });
  expect(await look(machine.system, 'present')).toBe('done');
  expect(machine.read('/run/etc/hostname')).toBe('one\n');
});

test.each([
  ['the server that is asked is away: what was adopted stands, with a note', true, 'applied', undefined],
  ['what it says is broken: the version is to blame', false, 'failed', 'the metadata is broken'],
])('on trial, %s', async (_, passing, state, problem) => {
  give('hostname: one');
  await provision('boot');
  start({ version: '2', trial: true });
  const { system } = machine;
  const record = readRecord(system, POLICY);
  const adopted = readAdopted(system, record!);
  const fault = { text: 'the metadata is broken', passing };
  const status = await configure(system, POLICY, { found: adopted, record, adopted, fault }, 'online');
  expect(status).toMatchObject({ state, notes: passing ? [fault.text] : [] });
  expect(gate()).toBe(problem);
});

test('what a platform told is asked for again at each boot, also by another version of the image', async () => {
  const policy: ProvisioningPolicy = { ...POLICY, sources: { ec2: RIGHTS } };
  const { system } = machine;
  const found: Found = {
    source: 'ec2',
    origin: 'http://169.254.169.254/',
    instanceId: 'i-1',
    userData: new TextEncoder().encode('#cloud-config\nhostname: one\n'),
    metaData: { publicKeys: [], variables: {} },
    platformFacts: { cloudName: 'aws' },
    notes: [],
  };
  for (const version of ['1', '2', '3']) {
    start({ version }, policy);
    if (version === '1') {
      makeRuntimeDirectory(system);
      await configure(system, policy, { ...ADOPTED, found }, 'online');
    } else await provision('boot');
    start({ version }, policy);
    expect(await look(system, 'present')).toBe('done');
    expect([version, machine.read(`${RUNTIME}/due`)]).toEqual([version, '']);
    expect(machine.read('/run/etc/hostname')).toBe('one\n');
  }
});

test('what is told by an address is asked for at every boot until its server answers', async () => {
  machine.write(`${SEED}/meta-data`, 'seedfrom: http://192.0.2.9/\n');
  for (const version of ['1', '2']) {
    start({ version });
    expect(await look(machine.system, 'present')).toBe('more');
    expect(await provision('boot')).toMatchObject({ state: 'none' });
    expect([version, machine.read(`${RUNTIME}/due`)]).toEqual([version, '']);
  }
});

test('nobody is asked where a boot finds nothing', async () => {
  await provision('boot');
  expect(machine.read(`${RUNTIME}/due`)).toBeUndefined();
});

test('a medium whose drive needs a driver is looked for at each boot, beside running services', async () => {
  const { system } = machine;
  const found: Found = {
    source: 'nocloud',
    origin: '/dev/sr0 (cidata)',
    instanceId: 'i-1',
    userData: new TextEncoder().encode('#cloud-config\nhostname: one\n'),
    metaData: { publicKeys: [], variables: {} },
    platformFacts: { cloudName: 'nocloud' },
    notes: [],
  };
  for (const [version, before] of [
    ['1', 'look'],
    ['2', 'plan'],
  ] as const) {
    start({ version });
    if (before === 'look') {
      makeRuntimeDirectory(system);
      machine.write('/dev/sr0', '');
      await configure(system, POLICY, { ...ADOPTED, found }, 'online');
      system.remove('/dev/sr0');
    } else expect(await provision('boot')).toMatchObject({ state: 'applied' });
    expect(machine.read(`${RUNTIME}/due`)).toBe(before === 'look' ? undefined : '');
    start({ version });
    expect(await look(system, 'present')).toBe('done');
    expect(machine.read(`${RUNTIME}/due`)).toBe('');
  }
});

test('a service whose image cannot be fetched is asked for again soon', async () => {
  give('services: {web: {image: "registry.example/web:1"}}');
  const outcome = {
    name: 'web',
    at: { part: 'user-data', line: 2, column: 1 },
    state: 'pending',
    reason: 'away',
  };
  servicesSay = JSON.stringify({ format: '1.0', services: [], outcomes: [outcome], diagnostics: [] });
  await provision('boot');
  expect(await provision('online')).toMatchObject({ state: 'pending' });
  expect(machine.read(`${RUNTIME}/due`)).toBe('');
  servicesSay = servicesSay.replace('pending', 'applied');
  expect(await provision('online')).toMatchObject({ state: 'applied' });
  expect(machine.read(`${RUNTIME}/due`)).toBeUndefined();
});

test('a machine that nobody ever told anything goes on asking a server that is away', async () => {
  const fault = { text: 'no answer', passing: true };
  makeRuntimeDirectory(machine.system);
  const status = await configure(machine.system, POLICY, { ...ADOPTED, fault }, 'online');
  expect(status).toMatchObject({ state: 'failed', problems: ['no answer'] });
  expect(machine.read(`${RUNTIME}/due`)).toBe('');
});

const INCLUDE = '#include\nhttp://192.0.2.9/more\n';

test('#include: pending without a network, kept afterwards, asked for again at each boot', async () => {
  machine.write(`${SEED}/user-data`, INCLUDE);
  machine.write(`${SEED}/meta-data`, 'instance-id: i-1\n');
  const first = await provision('boot');
  expect(first.state).toBe('pending');
  expect(first.keys).toEqual([
    expect.objectContaining({
      key: 'document',
      state: 'pending',
      line: 2,
      reason: expect.stringMatching(/when there is a network/) as string,
    }),
  ]);
  expect(machine.read(`${RUNTIME}/due`)).toBe('');
  served = '#cloud-config\nhostname: far\nwrite_files: [{path: /var/data/motd, content: one}]\n';
  expect(await provision('online')).toMatchObject({ state: 'applied' });
  expect(machine.read('/var/data/motd')).toBe('one');

  // The next boot needs nobody, and asks all the same.
  start({ version: '1' });
  expect(await look(machine.system, 'present')).toBe('done');
  expect(machine.read('/run/etc/hostname')).toBe('far\n');
  expect(machine.read(`${RUNTIME}/due`)).toBe('');
  served = served.replace('one', 'two');
  expect(await provision('online')).toMatchObject({ state: 'applied' });
  expect(machine.read('/var/data/motd')).toBe('two');

  // Another version plans anew, before there is a network.
  start({ version: '2', trial: true });
  expect(await provision('boot')).toMatchObject({ state: 'applied' });
});

test('#include-once asks once an instance', async () => {
  machine.write(`${SEED}/user-data`, INCLUDE.replace('include', 'include-once'));
  machine.write(`${SEED}/meta-data`, 'instance-id: i-1\n');
  served = '#cloud-config\nhostname: far\n';
  await provision('boot');
  await provision('online');
  const before = asked;
  expect(before).toBeGreaterThan(0);
  start({ version: '2' });
  expect(await provision('boot')).toMatchObject({ state: 'applied' });
  expect(machine.read(`${RUNTIME}/due`)).toBeUndefined();
  await provision('online');
  expect(asked).toBe(before);
  machine.write(`${SEED}/meta-data`, 'instance-id: i-2\n');
  start({ version: '2' });
  await provision('boot');
  await provision('online');
  expect(asked).toBeGreaterThan(before);
});

test('a full state partition: told, reachable, and right once there is room', async () => {
  give(
    'users: [{name: ann, ssh_authorized_keys: [ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGd0bG9ja2VkdG9ja2VkdG9ja2VkdG9ja2VkdG9j a@b]}]',
    ...FILES('one'),
  );
  const { system } = machine;
  const full: System = {
    ...system,
    open: (path, options) =>
      options.access !== 'read' && path.startsWith('/var/') ? -28 : system.open(path, options),
  };
  machine = Object.assign(machine, { system: full });
  const status = await provision('boot');
  expect(status.state).toBe('failed');
  expect(status.problems.join('\n')).toMatch(/cannot be kept/);
  expect(gate()).toBeDefined();
  // Whoever it names may log in all the same.
  expect(machine.read(`${RUNTIME}/machine.json`)).toContain('"ann"');
  machine = Object.assign(machine, { system });
  start({ version: '1' });
  expect(await look(system, 'present')).toBe('more');
  expect(await provision('boot')).toMatchObject({ state: 'applied', problems: [] });
  expect(machine.read('/var/data/motd')).toBe('one');
});
