import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { publicKeyText, sshKey } from '../../../lab/ssh.ts';
import type { Files } from '../../host/provision/source/seed-images.ts';
import { WORK } from '../image.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, slipStatus, ssh } from '../machine.ts';
import { ADDRESS, META_DATA, NETWORK, userData, type Wanted } from './document.ts';
import { eventually, FULL, startProvisioned, type ProvisionedMachine } from './provisioned.ts';

const LIMIT_MS = 4 * HEALTHY_LIMIT_MS;

/** One machine with a NoCloud disk, started again and again, while what the disk says changes. */
describe('a machine with a NoCloud disk', { timeout: LIMIT_MS }, () => {
  let told: ProvisionedMachine;
  let key: string;

  beforeAll(async () => {
    key = await publicKeyText(await sshKey(join(WORK, 'ssh')));
    told = await startProvisioned({
      name: 'nocloud',
      image: 'test/boot/images/provision.yaml',
      cpus: 2,
      cidata: files({ hostname: 'web-1', user: 'carol', greeting: 'hello' }),
    });
  }, LIMIT_MS);

  afterAll(() => told?.close());

  test('the user that it asks for logs in, is an operator, and finds the file', async () => {
    const carol = await told.accessOf('carol');
    expect(await ssh(carol, 'id')).toMatch(/uid=2000\(carol\).*operators/);
    expect(await ssh(carol, 'hostname')).toBe('web-1\n');
    expect(await ssh(carol, 'slip shell -T stat -c "%a %U" /var/lib/app/greeting')).toBe('640 carol\n');
    expect(await ssh(carol, 'slip shell -T cat /var/lib/app/greeting')).toBe('hello\n');
  });

  test('the network is as it asks for', async () => {
    const links = await told.ssh('slip shell -T ip addr');
    expect(links).toContain(`inet ${ADDRESS}/24`);
    expect(links).toMatch(/mtu 1400/);
  });

  test('its service runs, and its script has run once', async () => {
    await settled();
    const status = await slipStatus(told.admin());
    expect(status.services.find(({ name }) => name === 'greeter')).toMatchObject({ state: 'running' });
    expect(await told.ssh('slip logs greeter')).toContain('hello from a service');
    expect(await told.ssh('slip shell -T cat /var/lib/app/once')).toBe('once\n');
  });

  test('every key is told, with its line', async () => {
    const status = await told.status();
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
    expect(await told.ssh('slip config status')).toMatch(/^source +nocloud: /m);
  });

  test('no secret, and no document, is for everybody to read', async () => {
    const find = 'find /var/lib/slipway/provision /run/slipway/provision';
    const loose = await told.ssh(
      `slip shell -T sh -c "${find} -maxdepth 1 -perm /077 ! -type d; ${find} -maxdepth 0 -perm /077"`,
    );
    expect(loose).toBe('');
  });

  test('started again, nothing is done twice, and nothing is looked into', async () => {
    await told.ssh('slip shell -T sh -c "echo mine >/var/lib/app/greeting"');
    await told.restart();
    expect(await ssh(await told.accessOf('carol'), 'hostname')).toBe('web-1\n');
    await settled();
    expect(await told.ssh('slip shell -T cat /var/lib/app/once')).toBe('once\n');
    // What somebody changed stays, as long as the configuration does.
    expect(await told.ssh('slip shell -T cat /var/lib/app/greeting')).toBe('mine\n');
    expect(await told.ssh('slip logs greeter')).toContain('hello from a service');
    // Only look.js was waited for.
    expect(await told.ssh('slip shell -T cat /run/slipway/boot/provision.log')).toBe('');
    expect((await slipStatus(told.admin())).problems).toEqual([]);
  });

  test('another document makes it another machine', async () => {
    told.give(files({ hostname: 'web-2', user: 'dave', greeting: 'good day' }));
    await told.restart();
    expect(await ssh(await told.accessOf('dave'), 'id -un; hostname')).toBe('dave\nweb-2\n');
    await expect(ssh(await told.accessOf('carol'), 'id')).rejects.toThrow(/Permission denied/);
    expect(await told.ssh('slip shell -T cat /var/lib/app/greeting')).toBe('good day\n');
    await settled();
    expect(await told.ssh('slip logs greeter')).toContain('good day from a service');
    // It is the same instance.
    expect(await told.ssh('slip shell -T cat /var/lib/app/once')).toBe('once\n');
  });

  // A minute of it is waiting.
  test.runIf(FULL)(
    'live: what is tried returns by itself, what is refused is named with the line that would allow it',
    async () => {
      const tried = document({ hostname: 'web-3', user: 'erin', greeting: 'good night' });
      await told.ssh('cat >tried', tried);
      expect(JSON.parse(await told.ssh('slip config apply tried --try 1 --json'))).toMatchObject({
        source: 'operator',
        state: 'trying',
      });
      expect(await ssh(await told.accessOf('erin'), 'id -un; hostname')).toBe('erin\nweb-3\n');
      const { keys } = await told.status();
      expect(keys.find(({ key: name }) => name === 'runcmd')).toMatchObject({
        state: 'refused',
        reason: expect.stringContaining('operator: [users, network, services, scripts]') as string,
      });
      await told
        .ssh('slip shell -T sh -c \'kill -9 "$(cat /run/slipway/slipd.pid)"\'')
        .catch(() => undefined);
      await eventually(
        'the old one is back',
        async () => (await told.status()).source === 'nocloud',
        120_000,
      );
      expect(await ssh(await told.accessOf('dave'), 'hostname')).toBe('web-2\n');
      await expect(ssh(await told.accessOf('erin'), 'id')).rejects.toThrow(/Permission denied/);
    },
  );

  test('a broken document leaves the machine as it was, reachable, with a gate that fails and says why', async () => {
    told.give({
      'user-data': '#cloud-config\nhostname: web-4\nusers: [{name: eve\n',
      'meta-data': META_DATA,
    });
    const printed = told.machine.console().length;
    await told.reset();
    await told.machine.waitForConsole(
      /THIS MACHINE IS NOT AS ITS CONFIGURATION WANTS IT/,
      HEALTHY_LIMIT_MS,
      printed,
    );
    await eventually(
      'SSH answers',
      async () => (await ssh(await told.accessOf('dave'), 'hostname')) === 'web-2\n',
      HEALTHY_LIMIT_MS,
    );
    await told.logInAgain();
    const { boot, problems } = await slipStatus(told.admin());
    expect(boot).not.toBe('healthy');
    expect(problems.join('\n')).toMatch(/^provisioning: .*faults.*user-data:\d/m);
    expect(await told.status()).toMatchObject({ state: 'failed', source: 'nocloud' });
  });

  test('its console shows no fault of the machine', () => {
    expectQuietConsole(told.machine);
  });

  function document(wanted: Omit<Wanted, 'key'>): string {
    return userData({ ...wanted, key });
  }

  function files(wanted: Omit<Wanted, 'key'>): Files {
    return { 'user-data': document(wanted), 'meta-data': META_DATA, 'network-config': NETWORK };
  }

  /** Until what waits for the network is done. */
  async function settled(): Promise<void> {
    await told.applied();
    await eventually('its service runs', async () =>
      (await slipStatus(told.admin())).services.some(
        ({ name, state }) => name === 'greeter' && state === 'running',
      ),
    );
  }
});
