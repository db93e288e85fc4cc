import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DiskSource } from '../../../cli/run-input.ts';
import type { Machine } from '../../../lab/machine.ts';
import { publicKeyText, sshKey, type SshAccess } from '../../../lab/ssh.ts';
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
import { makeFat } from '../../host/provision/source/seed-images.ts';

const OVERLAY = join(WORK, 'nocloud.qcow2');
const CIDATA = join(WORK, 'cidata.img');
const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;
/** Another address than DHCP would give: that it has it shows who configured the network. */
const ADDRESS = '10.0.2.77';

const NETWORK = `version: 2
ethernets:
  first:
    match: { driver: virtio_net }
    dhcp4: true
    addresses: [${ADDRESS}/24]
    mtu: 1400
`;

interface Wanted {
  readonly hostname: string;
  readonly user: string;
  readonly greeting: string;
}

/** One machine with a NoCloud disk, started again and again, while what the disk says changes. */
describe('a machine with a NoCloud disk', { timeout: LIMIT_MS }, () => {
  let source: DiskSource;
  let machine: Machine;
  let key: string;
  let admin: SshAccess;

  beforeAll(async () => {
    await Promise.all([OVERLAY, CIDATA].map((path) => rm(path, { force: true })));
    source = await buildTestImage('test/boot/images/provision.yaml');
    key = await publicKeyText(await sshKey(join(WORK, 'ssh')));
    give(document({ hostname: 'web-1', user: 'carol', greeting: 'hello' }), NETWORK);
    machine = await startTestMachine({
      name: 'nocloud',
      disk: source.disk,
      diskSizeBytes: source.machineDiskBytes,
      overlay: OVERLAY,
      memoryMiB: 256,
      cpus: 2,
      extraDisks: [{ path: CIDATA, format: 'raw', readOnly: true, serial: 'cidata' }],
    });
    admin = (await healthyMachine(machine, source.user)).access;
  }, LIMIT_MS);

  afterAll(async () => {
    await machine?.close();
    await Promise.all([OVERLAY, CIDATA].map((path) => rm(path, { force: true })));
  });

  test('the user that it asks for logs in, is an operator, and finds the file', async () => {
    const carol = await accessOf('carol');
    expect(await ssh(carol, 'id')).toMatch(/uid=2000\(carol\).*operators/);
    expect(await ssh(carol, 'hostname')).toBe('web-1\n');
    expect(await ssh(carol, 'slip shell -T stat -c "%a %U" /var/lib/app/greeting')).toBe('640 carol\n');
    expect(await ssh(carol, 'slip shell -T cat /var/lib/app/greeting')).toBe('hello\n');
  });

  test('the network is as it asks for', async () => {
    const links = await ssh(admin, 'slip shell -T ip addr');
    expect(links).toContain(`inet ${ADDRESS}/24`);
    expect(links).toMatch(/mtu 1400/);
  });

  test('its service runs, and its script has run once', async () => {
    await settled();
    const status = await slipStatus(admin);
    expect(status.services.find(({ name }) => name === 'greeter')).toMatchObject({ state: 'running' });
    expect(await ssh(admin, 'slip logs greeter')).toContain('hello from a service');
    expect(await ssh(admin, 'slip shell -T cat /var/lib/app/once')).toBe('once\n');
  });

  test('every key is told, with its line', async () => {
    const status = await configStatus(admin);
    expect(status).toMatchObject({ source: 'nocloud', instanceId: 'i-1', state: 'applied', problems: [] });
    expect(status.keys.map(({ key: name, state }) => `${name} ${state}`)).toEqual(
      expect.arrayContaining([
        'hostname applied',
        'users applied',
        'write_files applied',
        'runcmd applied',
        'services applied',
      ]),
    );
    expect(status.keys.every(({ line }) => line > 0)).toBe(true);
    expect(await ssh(admin, 'slip config status')).toMatch(/^source +nocloud: /m);
  });

  test('no secret, and no document, is for everybody to read', async () => {
    const find = 'find /var/lib/slipway/provision /run/slipway/provision';
    const loose = await ssh(
      admin,
      `slip shell -T sh -c "${find} -maxdepth 1 -perm /077 ! -type d; ${find} -maxdepth 0 -perm /077"`,
    );
    expect(loose).toBe('');
  });

  test('started again, nothing is done twice, and nothing is looked into', async () => {
    await ssh(admin, 'slip shell -T sh -c "echo mine >/var/lib/app/greeting"');
    await restart();
    expect(await ssh(await accessOf('carol'), 'hostname')).toBe('web-1\n');
    await settled();
    expect(await ssh(admin, 'slip shell -T cat /var/lib/app/once')).toBe('once\n');
    // What somebody changed stays, as long as the configuration does.
    expect(await ssh(admin, 'slip shell -T cat /var/lib/app/greeting')).toBe('mine\n');
    expect(await ssh(admin, 'slip logs greeter')).toContain('hello from a service');
    // Only look.js was waited for.
    expect(await ssh(admin, 'slip shell -T cat /run/slipway/boot/provision.log')).toBe('');
    expect((await slipStatus(admin)).problems).toEqual([]);
  });

  test('another document makes it another machine', async () => {
    give(document({ hostname: 'web-2', user: 'dave', greeting: 'good day' }), NETWORK);
    await restart();
    expect(await ssh(await accessOf('dave'), 'id -un; hostname')).toBe('dave\nweb-2\n');
    await expect(ssh(await accessOf('carol'), 'id')).rejects.toThrow(/Permission denied/);
    expect(await ssh(admin, 'slip shell -T cat /var/lib/app/greeting')).toBe('good day\n');
    await settled();
    expect(await ssh(admin, 'slip logs greeter')).toContain('good day from a service');
    // It is the same instance.
    expect(await ssh(admin, 'slip shell -T cat /var/lib/app/once')).toBe('once\n');
  });

  // A minute of it is waiting.
  test.runIf(process.env['SLIPWAY_TEST_FULL'] === '1')(
    'live: what is tried returns by itself, what is refused is named with the line that would allow it',
    async () => {
      const tried = document({ hostname: 'web-3', user: 'erin', greeting: 'good night' });
      await ssh(admin, 'cat >tried', tried);
      expect(JSON.parse(await ssh(admin, 'slip config apply tried --try 1 --json'))).toMatchObject({
        source: 'operator',
        state: 'trying',
      });
      expect(await ssh(await accessOf('erin'), 'id -un; hostname')).toBe('erin\nweb-3\n');
      const { keys } = await configStatus(admin);
      expect(keys.find(({ key: name }) => name === 'runcmd')).toMatchObject({
        state: 'refused',
        reason: expect.stringContaining('operator: [users, network, services, scripts]') as string,
      });
      await ssh(admin, 'slip shell -T sh -c \'kill -9 "$(cat /run/slipway/slipd.pid)"\'').catch(
        () => undefined,
      );
      await until(
        'the old one is back',
        async () => (await configStatus(admin)).source === 'nocloud',
        120_000,
      );
      expect(await ssh(await accessOf('dave'), 'hostname')).toBe('web-2\n');
      await expect(ssh(await accessOf('erin'), 'id')).rejects.toThrow(/Permission denied/);
    },
  );

  test('a broken document leaves the machine as it was, reachable, with a gate that fails and says why', async () => {
    give('#cloud-config\nhostname: web-4\nusers: [{name: eve\n');
    const printed = machine.console().length;
    await reset();
    await machine.waitForConsole(
      /THIS MACHINE IS NOT AS ITS CONFIGURATION WANTS IT/,
      HEALTHY_LIMIT_MS,
      printed,
    );
    await until(
      'SSH answers',
      async () => (await ssh(await accessOf('dave'), 'hostname')) === 'web-2\n',
      HEALTHY_LIMIT_MS,
    );
    admin = await sshAccess(machine, source.user);
    const { boot, problems } = await slipStatus(admin);
    expect(boot).not.toBe('healthy');
    expect(problems.join('\n')).toMatch(/^provisioning: .*faults.*user-data:\d/m);
    expect(await configStatus(admin)).toMatchObject({ state: 'failed', source: 'nocloud' });
  });

  test('its console shows no fault of the machine', () => {
    expectQuietConsole(machine);
  });

  function give(userData: string, networkConfig?: string): void {
    makeFat(CIDATA, 'CIDATA', {
      'user-data': userData,
      'meta-data': 'instance-id: i-1\n',
      ...(networkConfig === undefined ? {} : { 'network-config': networkConfig }),
    });
  }

  function document({ hostname, user, greeting }: Wanted): string {
    return `#cloud-config
hostname: ${hostname}
users:
  - default
  - name: ${user}
    sudo: ALL=(ALL) NOPASSWD:ALL
    ssh_authorized_keys: ['${key}']
write_files:
  - path: /var/lib/app/greeting
    content: "${greeting}\\n"
    permissions: '0640'
    owner: ${user}
runcmd:
  - echo once >>/var/lib/app/once
services:
  greeter:
    image: service:network
    entrypoint: [/usr/bin/busybox, sh, -c, 'echo "$$GREETING from a service"; exec sleep 1000000']
    environment: { GREETING: ${greeting} }
    stop_grace_period: 1s
`;
  }

  async function restart(): Promise<void> {
    await reset();
    admin = (await healthyMachine(machine, source.user)).access;
  }

  async function reset(): Promise<void> {
    const seen = machine.events.length;
    await ssh(admin, 'slip reboot').catch(() => undefined);
    await machine.waitForEvent('RESET', HEALTHY_LIMIT_MS, seen);
  }

  /** The same way in, as somebody else. */
  async function accessOf(user: string): Promise<SshAccess> {
    return sshAccess(machine, user);
  }

  /** Until what waits for the network is done. */
  async function settled(): Promise<void> {
    await until(
      'all is applied',
      async () => (await configStatus(admin)).state === 'applied',
      HEALTHY_LIMIT_MS,
    );
    await until(
      'its service runs',
      async () =>
        (await slipStatus(admin)).services.some(
          ({ name, state }) => name === 'greeter' && state === 'running',
        ),
      HEALTHY_LIMIT_MS,
    );
  }
});

async function configStatus(access: SshAccess): Promise<ConfigStatus> {
  return JSON.parse(await ssh(access, 'slip config status --json')) as ConfigStatus;
}

async function until(what: string, holds: () => Promise<boolean>, limitMs: number): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await holds().catch(() => false))) {
    if (Date.now() > end) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}
