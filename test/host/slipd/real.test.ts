/** The real slipd with real monitors and containers. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineStatus, ServiceStatus } from '../../../spec/machine.ts';
import { canRunMachines, startHostMachine, type HostMachine, type TestService } from '../machine.ts';
import { check, dependency, service } from './plan/descriptions.ts';

const obedient = "trap 'echo bye; exit 0' TERM; while :; do sleep 1 & wait; done";
const make = (name: string, script: string, change: Partial<TestService> = {}): TestService => ({
  ...service(name),
  script,
  ...change,
});
/** Shell words that become the ids of processes with this in their command line. */
const pidOf = (text: string): string =>
  `$(ps -o pid,args | awk '/[${text[0]!}]${text.slice(1).replaceAll('/', '.')}/ {print $1}')`;
const find = (status: MachineStatus, name: string): ServiceStatus =>
  status.services.find((one) => one.name === name)!;

describe.skipIf(!(await canRunMachines()))('a machine', () => {
  let machine: HostMachine;

  beforeAll(async () => {
    machine = await startHostMachine([
      make('web', `echo web up; ${obedient}`, {
        gate: true,
        healthCheck: check({ command: ['/bin/true'], intervalMs: 2_000 }),
      }),
      make('app', `echo app up; ${obedient}`, {
        dependsOn: [
          dependency('web', 'service_healthy'),
          dependency('setup', 'service_completed_successfully'),
        ],
        directories: [{ path: '/var/lib/slipway/state/app', uid: 1000, gid: 1000, mode: 0o1770 }],
      }),
      make('setup', 'sleep 0.2; echo set up', { type: 'onboot', restart: { policy: 'no' } }),
      make('crash', 'exit 7'),
      make('hang', "trap '' TERM; while :; do sleep 1; done", { stopGraceMs: 1_000 }),
      // A counter, so that a lost line shows; and an end by order.
      make('count', 'i=0; while [ ! -e /tmp/end ]; do i=$((i+1)); echo "line $i"; sleep 0.01; done; exit 7', {
        restart: { policy: 'no' },
      }),
      make(
        'flood',
        'while :; do echo "a rather long line of a service that never stops to talk about nothing at all"; done',
        { stopGraceMs: 500 },
      ),
      make('writable', `echo kept >>/written; cat /written; ${obedient}`, { writable: true }),
      make('bye', 'echo last words', { type: 'onshutdown', restart: { policy: 'no' } }),
    ]);
  }, 120_000);
  afterAll(() => machine?.destroy());

  test('services start in order, gates make the boot healthy', async () => {
    const status = await machine.until(
      'healthy',
      ({ boot, services }) => boot === 'healthy' && services[1]!.state === 'running',
    );
    expect(find(status, 'web')).toMatchObject({ state: 'running', health: 'healthy', restarts: 0 });
    expect(find(status, 'setup')).toMatchObject({ state: 'completed', exitCode: 0 });
    expect(status).toMatchObject({ slot: 'a', rootHash: '0123456789abcdef', problems: [] });
    const { stdout } = await machine.shell(
      'stat -c "%a %u:%g" /var/lib/slipway/state/app; cat /run/etc/passwd; grep -c ":[*]:" /run/etc/shadow',
    );
    expect(stdout.toString()).toContain('1770 1000:1000');
    expect(stdout.toString()).toContain('admin:x:1000:1000::/home/admin:/bin/sh');
  });

  test('a crash loop is shown, with its exit code, and backs off', async () => {
    const status = await machine.until('restarted', (now) => find(now, 'crash').restarts >= 2);
    expect(find(status, 'crash').reason).toContain('exit code 7');
  });

  test('what a writable root got stays over a restart', async () => {
    const began = Date.now();
    // Again and again (runsv rests a second after a run that was shorter): an order that comes while the last run is being wound up must not be lost.
    for (let round = 0; round < 5; round++)
      expect((await machine.shell('slip restart writable')).code).toBe(0);
    expect(Date.now() - began).toBeLessThan(9_000);
    const { stdout } = await machine.shell('tail -n 6 /var/log/slipway/writable/current');
    expect(stdout.toString().match(/kept/g)).toHaveLength(6);
  });

  test('a flood stays within the bounds of its log, and slipd calm', async () => {
    const { stdout } = await machine.shell(
      'sleep 2; du -sk /var/log/slipway/flood; awk "/VmRSS/ {print \\$2}" /proc/$(cat /run/slipway/slipd.pid)/status',
    );
    const [size, memory] = stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => Number.parseInt(line, 10));
    expect(size).toBeLessThan(2_000);
    expect(memory).toBeLessThan(8_000);
    expect((await machine.shell('slip stop flood')).code).toBe(0);
  });

  test('slipd is killed; a service exits 7 meanwhile; the next slipd shows it, and no line is lost', async () => {
    const before = await machine.status();
    const { stdout } = await machine.shell(`
      pid=$(cat /run/slipway/slipd.pid)
      # Stopped first, so that it cannot be back before the service has ended; then killed.
      kill -STOP $pid
      crun exec count touch /tmp/end
      sleep 0.5
      kill -KILL $pid
      echo $pid`);
    const status = await machine.until('back', (now) => find(now, 'count').exitCode === 7);
    expect(find(status, 'count')).toMatchObject({ state: 'stopped', reason: 'exit code 7' });
    expect(find(status, 'web').pid).toBe(find(before, 'web').pid);
    expect(find(status, 'web').restarts).toBe(0);
    expect((await machine.shell('cat /run/slipway/slipd.pid')).stdout.toString()).not.toBe(stdout.toString());
    const lines = (await machine.shell('slip logs count')).stdout.toString().trim().split('\n');
    expect(lines.length).toBeGreaterThan(20);
    lines.forEach((line, index) => expect(line).toMatch(new RegExp(` line ${index + 1}$`)));
  });

  test('a killed container is restarted; so is one whose monitor was killed', async () => {
    const before = find(await machine.status(), 'web');
    await machine.shell(`kill -KILL ${before.pid}`);
    const killed = await machine.until(
      'restarted',
      (now) => find(now, 'web').restarts === 1 && find(now, 'web').health === 'healthy',
    );
    await machine.shell(`kill -KILL ${pidOf('runsv /run/slipway/services/web')}`);
    const again = await machine.until(
      'monitor back',
      (now) => find(now, 'web').restarts === 2 && find(now, 'web').health === 'healthy',
    );
    expect(find(again, 'web').pid).not.toBe(find(killed, 'web').pid);
    expect((await machine.shell('slip logs -n 1 web')).stdout.toString()).toContain('web up');
  }, 60_000);

  test('a service that ignores its stop signal is killed after its grace', async () => {
    const { stdout, code } = await machine.shell('slip stop hang');
    expect([stdout.toString(), code]).toEqual(['hang is stopped (it had to be killed)\n', 0]);
    expect((await machine.shell('slip start hang')).code).toBe(0);
  });

  test('power off: one-shots, reverse order, and init is told', async () => {
    const { code } = await machine.shell('slip poweroff');
    expect(code).toBe(0);
    await machine.ended;
  }, 30_000);
});
