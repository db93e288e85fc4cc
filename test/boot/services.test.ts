import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine.ts';
import type { SshAccess } from '../../lab/ssh.ts';
import type { MachineStatus, ServiceStatus } from '../../spec/machine.ts';
import { WORK } from './image.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, slipStatus, ssh, startHealthy } from './machine.ts';
import { expectCleanState, readStateFile, withStateOf } from './state-disk.ts';

const OVERLAY = join(WORK, 'services.qcow2');
const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
const GATES = ['network', 'ssh', 'time'];

/** One machine whose services misbehave in every way we know of. */
describe('services that misbehave', { timeout: LIMIT_MS }, () => {
  let machine: Machine;
  let access: SshAccess;

  beforeAll(async () => {
    await rm(OVERLAY, { force: true });
    ({ machine, access } = await startHealthy('test/boot/images/chaos.yaml', {
      name: 'services',
      overlay: OVERLAY,
      memoryMiB: 512,
      cpus: 2,
    }));
  }, LIMIT_MS);

  afterAll(async () => {
    await machine.close();
    await rm(OVERLAY, { force: true });
  });

  /** Waits on the machine, so that the guest's own clock counts: asks `slip status` until it is as expected. */
  const until = async (what: string, isSo: (status: MachineStatus) => boolean): Promise<MachineStatus> => {
    const deadline = Date.now() + HEALTHY_LIMIT_MS;
    for (;;) {
      // While slipd is being started again there is no answer.
      const status = await slipStatus(access).catch(() => undefined);
      if (status !== undefined && isSo(status)) return status;
      if (Date.now() > deadline) {
        throw new Error(`never came to pass: ${what}\n${JSON.stringify(status, undefined, 1)}`);
      }
    }
  };
  const service = (status: MachineStatus, name: string): ServiceStatus => {
    const found = status.services.find((candidate) => candidate.name === name);
    if (found === undefined) throw new Error(`no service ${name}`);
    return found;
  };
  const untilService = async (name: string, what: string, isSo: (status: ServiceStatus) => boolean) =>
    service(await until(`${name} ${what}`, (status) => isSo(service(status, name))), name);
  /** A command as root in the host's own namespaces. */
  const root = (command: string): Promise<string> =>
    ssh(access, `slip shell -T -- /bin/sh -c ${quote(command)}`);

  test('one that crashes at once backs off and is shown as failing', async () => {
    const crash = await untilService('crash', 'is failing', ({ state }) => state === 'failing');
    expect(crash.restarts).toBeGreaterThanOrEqual(4);
    expect(crash.exitCode).toBe(3);
    expect(crash.reason).toMatch(/3/);
    expect(await ssh(access, 'slip logs crash')).toContain('about to crash');
  });

  test('one that takes too much memory is ended by the kernel, and the status says why', async () => {
    const leak = await untilService('leak', 'was killed', ({ restarts }) => restarts > 0);
    expect(leak.reason ?? '').toMatch(/memory|137|SIGKILL/i);
  });

  test('one that floods its log fills no disk', async () => {
    const size = Number(await root('du -sk /var/log/slipway/flood | cut -f1'));
    expect(size).toBeGreaterThan(0);
    expect(size).toBeLessThan(20_000);
    // It goes on writing: the very last line may not be whole yet.
    expect(await ssh(access, 'slip logs flood | tail -n 2 | head -n 1')).toContain('floods its log');
  });

  test('one that fills its tmpfs fills nothing else', async () => {
    expect(await ssh(access, 'slip logs fill')).toMatch(/No space left on device/);
    expect(await untilService('fill', 'runs on', ({ state }) => state === 'running')).toBeDefined();
    expect(Number(await root("df -k /run | tail -n 1 | awk '{print $5}' | tr -d %"))).toBeLessThan(50);
  });

  test('one that leaves zombies is held by its limit of processes', async () => {
    expect((await slipStatus(access)).services).toContainEqual(
      expect.objectContaining({ name: 'zombies', state: 'running' }),
    );
    await ssh(access, 'slip restart zombies');
    await untilService('zombies', 'runs again', ({ state }) => state === 'running');
    // Those of the first run went with its container.
    expect(Number(await root("ps -o stat | grep -c '^Z' || true"))).toBeLessThanOrEqual(25);
  });

  test('failing and hanging checks are told as unhealthy', async () => {
    await untilService('sick', 'is unhealthy', ({ health }) => health === 'unhealthy');
    await untilService('stuck-check', 'is unhealthy', ({ health }) => health === 'unhealthy');
  });

  test('one that ends well stays ended', async () => {
    const once = await untilService('once', 'has ended', ({ pid }) => pid === null);
    expect(once).toMatchObject({ exitCode: 0, restarts: 0 });
  });

  test.each(['ignore-term', 'hang-on-stop'])('%s is ended when its grace period is over', async (name) => {
    await ssh(access, `slip stop ${name}`);
    const stopped = await untilService(name, 'has stopped', ({ state }) => state === 'stopped');
    expect(stopped.pid).toBeNull();
    expect(await root(`cat /sys/fs/cgroup/slipway/${name}/cgroup.procs 2>/dev/null || true`)).toBe('');
  });

  test('none of it touches the others', async () => {
    const status = await slipStatus(access);
    expect(status.boot).toBe('healthy');
    for (const name of [...GATES, 'bystander']) {
      expect(service(status, name)).toMatchObject({ state: 'running', health: 'healthy', restarts: 0 });
    }
  });

  test('a killed slipd comes back, and no service notices', async () => {
    const before = await slipStatus(access);
    const pids = (status: MachineStatus): Record<string, number | null> =>
      Object.fromEntries([...GATES, 'bystander'].map((name) => [name, service(status, name).pid]));
    const slipd = (): Promise<string> => root('cat /run/slipway/slipd.pid');
    const old = await slipd();
    // The command's own connection goes with slipd.
    await root(`kill -9 ${old}`).catch(() => undefined);
    const status = await until('slipd is back', ({ boot }) => boot === 'healthy');
    expect(await slipd()).not.toBe(old);
    expect(pids(status)).toEqual(pids(before));
    expect(service(status, 'bystander').restarts).toBe(0);
  });

  test.each(['network', 'time', 'bystander', 'ssh'])('%s, killed under load, is restarted', async (name) => {
    const before = service(await slipStatus(access), name);
    // In the background and a moment later, so that killing `ssh` does not cut off the command that does it.
    await root(`(sleep 1; kill -9 ${before.pid}) >/dev/null 2>&1 </dev/null &`);
    const after = await (async () => {
      const deadline = Date.now() + HEALTHY_LIMIT_MS;
      for (;;) {
        const now = await slipStatus(access)
          .then((status) => service(status, name))
          .catch(() => undefined);
        if (now?.restarts === before.restarts + 1 && now.health === 'healthy') return now;
        if (Date.now() > deadline) throw new Error(`${name} did not come back: ${JSON.stringify(now)}`);
      }
    })();
    expect(after.pid).not.toBe(before.pid);
  });

  test('at the press of the power button it shuts down in spite of them, in order, and leaves all clean', async () => {
    await machine.powerdown();
    expect(await machine.exited).toMatchObject({ code: 0 });
    expect(machine.reports.at(-1)).toMatchObject({ event: 'shutdown', action: 'poweroff' });
    await withStateOf(OVERLAY, async (state) => {
      await expectCleanState(state);
      const [dependent, dependency] = await Promise.all(
        ['on-bystander', 'bystander'].map(async (name) => {
          const log = await readStateFile(state, `/log/slipway/${name}/current`);
          const stamp = /^(\S+) ended$/m.exec(log)?.[1];
          if (stamp === undefined) throw new Error(`${name} was not asked to end\n${log}`);
          return Date.parse(`${stamp.replace('_', 'T')}Z`);
        }),
      );
      expect(dependent).toBeLessThan(dependency ?? NaN);
    });
    expectQuietConsole(machine, ['out-of-memory']);
  });
});

function quote(command: string): string {
  return `'${command.replaceAll("'", `'\\''`)}'`;
}
