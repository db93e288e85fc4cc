/**
 * Another network for a machine that one is logged in to: kept, cut off and back by itself, cut off and restarted, forgotten. The smallest image, whose
 * network service is busybox's. In the full run only: minutes of it are waiting.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskSource } from '../../../cli/run-input.ts';
import type { Machine } from '../../../lab/machine.ts';
import { ssh as sshRun, type SshAccess } from '../../../lab/ssh.ts';
import type { ConfigStatus } from '../../../spec/provisioning.ts';
import { buildTestImage, WORK } from '../image.ts';
import {
  expectQuietConsole,
  HEALTHY_LIMIT_MS,
  healthyMachine,
  slipStatus,
  ssh,
  sshAccess,
  startTestMachine,
} from '../machine.ts';

const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const OVERLAY = join(WORK, 'live-network.qcow2');
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;

/** QEMU forwards to 10.0.2.15, whoever gave that address. */
const STATIC = `version: 2
ethernets:
  lan:
    match: {macaddress: '52:54:00:12:34:56'}
    set-name: lan0
    addresses: [10.0.2.15/24]
    routes: [{to: default, via: 10.0.2.2}]
    nameservers: {addresses: [10.0.2.3], search: [live.example]}
    mtu: 1400
`;
const CUT_OFF = STATIC.replace('10.0.2.15/24', '192.0.2.1/24').replace('via: 10.0.2.2', 'via: 192.0.2.2');

describe.runIf(FULL)('another network for a machine that one is logged in to', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;
  let machine: Machine;
  let admin: SshAccess;

  beforeAll(async () => {
    await rm(OVERLAY, { force: true });
    source = await buildTestImage('images/tiny.yaml');
    machine = await startTestMachine({
      name: 'live-network',
      disk: source.disk,
      diskSizeBytes: source.machineDiskBytes,
      overlay: OVERLAY,
      memoryMiB: 256,
    });
    admin = (await healthyMachine(machine, source.user)).access;
  }, LIMIT_MS);

  afterAll(async () => {
    await machine?.close();
    await rm(OVERLAY, { force: true });
  });

  test('what is tried is there at once, and stays when it is confirmed', async () => {
    await apply('hostname: live\n', STATIC, 10);
    await until('the machine is reached at its own address', async () => (await hostname()) === 'live');
    await isStatic();
    expect(await status()).toMatchObject({ source: 'operator', state: 'trying' });
    expect(await ssh(admin, 'slip config confirm')).toContain('is kept');
    expect(await status()).toMatchObject({ state: 'applied', revertsAt: null });
    // As well as one that was never changed: leases, routes and gates.
    expect((await slipStatus(admin)).problems).toEqual([]);
  });

  test('what cuts the machine off returns by itself', async () => {
    await apply('hostname: lost\n', CUT_OFF, 1);
    await until('the machine is gone', async () => (await hostname().catch(() => 'gone')) === 'gone');
    await until('the machine is back', async () => (await hostname()) === 'live');
    await isStatic();
    expect(await status()).toMatchObject({ source: 'operator', state: 'applied', revertsAt: null });
    expect((await slipStatus(admin)).problems).toEqual([]);
  });

  test('what cuts the machine off is gone when it was restarted meanwhile', async () => {
    await apply('hostname: lost\n', CUT_OFF, 60);
    await until('the machine is gone', async () => (await hostname().catch(() => 'gone')) === 'gone');
    const seen = machine.events.length;
    await machine.reset();
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    admin = (await healthyMachine(machine, source.user)).access;
    expect(await hostname()).toBe('live');
    await isStatic();
    expect(await status()).toMatchObject({ source: 'operator', state: 'applied', revertsAt: null });
  });

  test('reset: at the next start it is a machine that nobody has told anything', async () => {
    await ssh(admin, 'slip config reset');
    const seen = machine.events.length;
    await ssh(admin, 'slip reboot').catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
    admin = (await healthyMachine(machine, source.user)).access;
    expect(await status()).toMatchObject({ source: null, state: 'none' });
    expect(await hostname()).not.toBe('live');
    const links = await ssh(admin, 'slip shell -T ip address');
    expect(links).toMatch(/enp0s\d+: [^]*mtu 1500[^]*inet 10\.0\.2\.15\/24/);
    expect(links).not.toContain('lan0');
  });

  test('its console shows no fault of the machine', () => {
    expectQuietConsole(machine);
  });

  /** The connection may end with the network that carries it. */
  async function apply(userData: string, network: string, minutes: number): Promise<void> {
    await ssh(admin, 'cat >network', network);
    await ssh(admin, 'cat >user-data', `#cloud-config\n${userData}`);
    await sshRun(admin, `slip config apply user-data --network network --try ${minutes} --json`, {
      timeoutMs: 30_000,
    }).catch(() => undefined);
  }

  async function hostname(): Promise<string> {
    const { stdout } = await sshRun(admin, 'hostname', { timeoutMs: 20_000 });
    return stdout.toString().trim();
  }

  async function status(): Promise<ConfigStatus> {
    return JSON.parse(await ssh(admin, 'slip config status --json')) as ConfigStatus;
  }

  async function isStatic(): Promise<void> {
    admin = await sshAccess(machine, source.user);
    const lan = await ssh(
      admin,
      'slip shell -T -- sh -c "ip address show dev lan0; ip route; cat /etc/resolv.conf"',
    );
    expect(lan).toMatch(/mtu 1400/);
    expect(lan).toMatch(/inet 10\.0\.2\.15\/24/);
    expect(lan).toMatch(/^default via 10\.0\.2\.2 dev lan0/m);
    expect(lan).toMatch(/^search live\.example\nnameserver 10\.0\.2\.3$/m);
    expect(lan).not.toContain('192.0.2.');
  }

  async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
    const end = Date.now() + HEALTHY_LIMIT_MS;
    while (!(await holds().catch(() => false))) {
      if (Date.now() > end) throw new Error(`not within ${HEALTHY_LIMIT_MS / 1000} s: ${what}`);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
});
