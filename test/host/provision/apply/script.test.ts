/** Scripts on a host without a virtual machine: the real crun, svlogd and busybox, under QuickJS. */
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StepResult } from '../../../../host/provision/apply/result.ts';
import type { Script } from '../../../../host/provision/apply/script.ts';
import { compileSeccomp } from '../../../../oci/seccomp/compile.ts';
import { DEFAULT_PROFILE } from '../../../../oci/seccomp/default-profile.ts';
import { resolveProfile } from '../../../../oci/seccomp/resolve.ts';
import { PROVISIONING_PATHS, SCRIPT_CAPABILITIES } from '../../../../spec/provisioning.ts';
import { canRunMachines, startHostMachine, type HostMachine } from '../../machine.ts';
import { bundleForMachine } from '../../quickjs.ts';

const able = await canRunMachines();

describe.skipIf(!able)('scripts', () => {
  let machine: HostMachine;
  let number = 0;

  beforeAll(async () => {
    machine = await startHostMachine([]);
    const file = join(tmpdir(), `slipway-script-${process.pid}.js`);
    await bundleForMachine('test/host/provision/apply/script-main.ts', file);
    await machine.shell('mkdir -p /run/slipway/provision /var/lib/slipway/home/app; cat >/run/apply.js', {
      input: readFileSync(file),
    });
    rmSync(file);
  });
  afterAll(() => machine.destroy());

  async function apply(text: string, changes: Partial<Script> = {}): Promise<StepResult> {
    const script: Script = {
      name: `test-${number++}`,
      text,
      when: 'boot',
      where: 'container',
      limitSeconds: 60,
      ...changes,
    };
    const input = Buffer.from(JSON.stringify(script));
    await machine.shell('cat >/run/script.json', { input });
    const { stdout, stderr } = await machine.shell(
      'qjs --no-unhandled-rejection -m /run/apply.js /run/script.json',
    );
    if (stdout.length === 0) throw new Error(stderr);
    return JSON.parse(stdout.toString()) as StepResult;
  }

  /** As the builder makes it. */
  async function giveFilter(): Promise<void> {
    const profile = resolveProfile(DEFAULT_PROFILE, 'amd64', SCRIPT_CAPABILITIES);
    const filter = Buffer.from(compileSeccomp(profile, 'amd64')!).toString('base64');
    await machine.shell(`cat >${PROVISIONING_PATHS.scriptFilter}`, { input: Buffer.from(filter) });
  }

  async function log(): Promise<string> {
    return (await machine.shell('cat /var/log/slipway/provision/current')).stdout.toString();
  }

  test('in a container: writes below /var and to /home, sees nothing of the system, has few capabilities', async () => {
    const result = await apply(
      [
        '#!/bin/sh',
        'echo written >/var/made && echo written >/home/app/made || exit 10',
        'touch /usr/x /etc/x /var/lib/slipway/x /var/log/slipway/x 2>/dev/null && exit 11',
        '[ -z "$(ls /var/lib/slipway)" ] || exit 12',
        '[ ! -e /run/slipway ] || exit 13',
        'mount -t tmpfs tmpfs /tmp 2>/dev/null && exit 14',
        'mknod /tmp/null c 1 3 2>/dev/null && exit 15',
        'echo x >/proc/sys/kernel/hostname && exit 16',
        'ps | grep -q "[s]lipd" && exit 17',
        'grep CapEff /proc/self/status',
        'echo "id $INSTANCE_ID"',
        'chown 1000:1000 /var/made || exit 18',
        'echo discarded >/dev/null || exit 19',
      ].join('\n'),
    );
    expect(result, await log()).toEqual({ state: 'applied', reason: null, changed: true, restart: [] });
    expect(await log()).toContain('id i-1');
    // CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID NET_BIND_SERVICE
    expect(await log()).toMatch(/CapEff:\t00000000000004fb/);
    const { stdout } = await machine.shell('stat -c %u /var/made; cat /var/lib/slipway/home/app/made');
    expect(stdout.toString()).toBe('1000\nwritten\n');
  });

  test('in a container: with the filter of the image, which its children have, too', async () => {
    await giveFilter();
    const result = await apply(
      "#!/bin/sh\ngrep Seccomp: /proc/self/status\nsh -c 'grep Seccomp: /proc/self/status'\n",
    );
    expect(result, await log()).toMatchObject({ state: 'applied' });
    expect((await log()).match(/Seccomp:\t2/g)).toHaveLength(2);
  });

  test('on the host, where the policy says so', async () => {
    const result = await apply('#!/bin/sh\ntouch /run/from-script\nexit 3\n', { where: 'host' });
    expect(result.reason).toMatch(/^test-\d+ ended with exit code 3: see \/var\/log\/slipway\/provision$/);
    expect((await machine.shell('test -e /run/from-script')).code).toBe(0);
  });

  test.each(['container', 'host'] as const)('what takes too long is ended, all of it (%s)', async (where) => {
    const result = await apply('#!/bin/sh\nsleep 977 &\nsleep 977\n', { where, limitSeconds: 2 });
    expect(result.reason).toMatch(/was ended after 2 s/);
    expect((await machine.shell('ps | grep "[s]leep 977"')).stdout.toString()).toBe('');
  });

  test('so is one whose time is up before its container is there', async () => {
    const result = await apply('#!/bin/sh\nsleep 978\n', { limitSeconds: 0 });
    expect(result.reason).toMatch(/was ended after 0 s/);
    expect((await machine.shell('ps | grep "[s]leep 978"')).stdout.toString()).toBe('');
  });

  test('once an instance: once begun, whatever became of it', async () => {
    const text = '#!/bin/sh\necho run >>/var/runs\nexit 4\n';
    const once: Partial<Script> = { name: 'once', when: 'instance' };
    const first = await apply(text, once);
    const second = await apply(text, once);
    expect([first.state, second.state, second.reason]).toEqual(['failed', 'failed', first.reason]);
    expect((await machine.shell('cat /var/runs')).stdout.toString()).toBe('run\n');
    await machine.shell('echo begun >/var/lib/slipway/provision/once/i-1/once');
    expect((await apply(text, once)).reason).toContain(
      'was cut short in an earlier boot, and is not begun again',
    );
    expect((await machine.shell('cat /var/runs')).stdout.toString()).toBe('run\n');
  });

  test('a shell that is not here is told, and nothing runs', async () => {
    expect((await apply('#!/bin/bash\necho x\n')).reason).toContain('there is no /bin/bash on this machine');
  });

  test('the log stays small, whatever is printed', async () => {
    await apply('#!/bin/sh\nhead -c 3000000 /dev/zero | tr "\\0" "a" | fold -w 100\n');
    const { stdout } = await machine.shell('du -sk /var/log/slipway/provision');
    expect(Number(stdout.toString().split('\t')[0])).toBeLessThan(500);
  });
});
