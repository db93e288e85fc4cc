/** The real slipd with real monitors and containers. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MachineStatus, ServiceStatus } from '../../../spec/machine.ts';
import {
  canRunMachines,
  OPERATORS,
  startHostMachine,
  type HostMachine,
  type TestService,
} from '../machine.ts';
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

  test('exec passes 10 MB of binary both ways, both streams, and the exit status; for an operator too', async () => {
    const input = randomBytes(10_000_000);
    const copied = await machine.shell('slip exec app cat', {
      input,
      uid: OPERATORS.uid,
      gid: OPERATORS.gid,
    });
    expect(Buffer.compare(copied.stdout, input)).toBe(0);
    const both = await machine.shell('slip exec app sh -c "echo out \\$FROM_IMAGE; echo err >&2; exit 42"');
    expect(both).toMatchObject({ code: 42, stderr: 'err\n' });
    expect(both.stdout.toString()).toBe('out yes\n');
  });

  test('two at once do not mix', async () => {
    const results = await Promise.all(
      ['one', 'two'].map((word) =>
        machine.shell(`slip exec app sh -c "for i in 1 2 3 4 5; do echo ${word}; sleep 0.1; done"`),
      ),
    );
    expect(results.map(({ stdout }) => stdout.toString())).toEqual(['one\n'.repeat(5), 'two\n'.repeat(5)]);
  });

  test('who is no operator is refused', async () => {
    const refused = await machine.shell('slip status; slip exec app true', { uid: 1001 });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('you may not control this machine');
  });

  test('a client that dies takes its command along, and leaves nothing', async () => {
    await machine.shell(
      `slip exec app sleep 4321 >/dev/null 2>&1 & sleep 0.5; kill -KILL ${pidOf('slip.js exec app sleep 4321')}`,
    );
    await machine.shell('sleep 3');
    const { stdout } = await machine.shell(
      `echo ${pidOf('sleep 4321')}; ls /run/slip/requests /run/slipway/sessions | grep -v :`,
    );
    expect(stdout.toString().trim()).toBe('');
  });

  test('slip shell runs in the host, and is written down', async () => {
    const { stdout } = await machine.shell(
      'slip shell sh -c "readlink /proc/1/ns/pid; readlink /proc/self/ns/pid"',
      {
        uid: OPERATORS.uid,
        gid: OPERATORS.gid,
      },
    );
    const [host, own] = stdout.toString().trim().split('\n');
    expect(own).toBe(host);
    expect((await machine.shell('cat /var/log/slipway/shell')).stdout.toString()).toContain(
      'admin (uid 1000) started',
    );
  });

  test.each(['slip exec app sh', 'slip shell'])(
    '%s on a terminal: sizes, Ctrl-C, exit status',
    async (command) => {
      const type = (text: string): string => `printf '${text}'; sleep 0.4`;
      const keys = [
        'sleep 0.7',
        type('stty size\\n'),
        // The caller's terminal, as its own side sees it; the size changes under the running command.
        'stty -F $(cat /tmp/terminal) rows 50 cols 132; sleep 0.3',
        type('stty size\\n'),
        type('sleep 4000; echo ended $?\\n'),
        type('\\003'),
        type('tty >/dev/null && echo has a tty\\n'),
        type('exit 7\\n'),
      ];
      const session = `tty >/tmp/terminal; stty rows 24 cols 80; exec ${command}`;
      const script = `rm -f /tmp/terminal; (${keys.join('; ')}) | script -qec '${session}' /dev/null; echo status $?`;
      const { stdout } = await machine.shell(script);
      const text = stdout.toString();
      for (const seen of ['24 80', '50 132', '^C', 'has a tty', 'status 7']) expect(text).toContain(seen);
      expect(text).not.toContain('ended 0');
      expect((await machine.shell(`echo ${pidOf('sleep 4000')}`)).stdout.toString().trim()).toBe('');
    },
  );

  test('a shell on a terminal gives every byte, however slow its reader', async () => {
    const command = 'stty raw; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); echo $i; done';
    const script = `sleep 5 | script -qec "slip shell sh -c '${command.replaceAll('$', '\\$')}'" /dev/null | (sleep 1; cat)`;
    const lines = (await machine.shell(script)).stdout.toString().replaceAll('\r', '').trim().split('\n');
    expect(lines).toEqual(Array.from({ length: 20_000 }, (_, index) => `${index + 1}`));
  });

  test.each([
    ['a symbolic link', 'ln -s /run/slipway/memory.json $q'],
    ['a FIFO', 'mkfifo $q'],
    ['a huge file', 'head -c 50000000 /dev/zero >$q.t; mv $q.t $q'],
    ['a hard link', 'echo "{}" >$q.t; ln $q.t $q; sleep 0.2; rm -f $q.t'],
    ['a directory', 'mkdir $q'],
    ['no JSON', 'echo "{{{" >$q.t; mv $q.t $q'],
    ['a request without FIFOs', `echo '{"kind":"reboot"}' >$q.t; mv $q.t $q`],
    [
      'a service with a path for a name',
      `mkfifo $r.reply $r.lease; echo '{"kind":"stop","service":"../../x"}' >$q.t; mv $q.t $q`,
    ],
    ['strange names', 'echo x >"$d/ "; echo x >"$d/.request"; echo x >"$d/$(printf "a\\n.request")"'],
  ])('%s as a request does no harm', async (_, attack) => {
    const script = `d=/run/slip/requests; r=$d/0123456789abcdef01234567; q=$r.request; ${attack}; echo >/run/slip/wake; sleep 0.3`;
    await machine.shell(script, { uid: OPERATORS.uid, gid: OPERATORS.gid });
    const pid = (await machine.shell('cat /run/slipway/slipd.pid')).stdout.toString();
    const started = Date.now();
    expect((await machine.status()).boot).toBe('healthy');
    expect(Date.now() - started).toBeLessThan(2_000);
    expect(
      (
        await machine.shell('kill -0 $(cat /run/slipway/slipd.pid); cat /run/slipway/slipd.pid')
      ).stdout.toString(),
    ).toBe(pid);
    await machine.shell('rm -rf /run/slip/requests/0123* /run/slip/requests/.request');
  });

  test("another's file is not a request of one's own", async () => {
    // A guest cannot put anything there at all.
    const { code } = await machine.shell('echo >/run/slip/requests/0123456789abcdef01234567.request', {
      uid: 1001,
    });
    expect(code).not.toBe(0);
  });

  test('wrong use exits 2, failed work 1, both with a hint', async () => {
    const wrong = await machine.shell('slip frobnicate');
    expect([wrong.code, wrong.stderr]).toEqual([
      2,
      'slip: no command is called frobnicate\n  hint: see: slip --help\n',
    ]);
    const failed = await machine.shell('slip stop nothing --json');
    expect(failed.code).toBe(1);
    expect(JSON.parse(failed.stdout.toString())).toMatchObject({
      error: { code: 'control.unknown-service' },
    });
  });

  test('power off: one-shots, reverse order, and init is told', async () => {
    const { code } = await machine.shell('slip poweroff');
    expect(code).toBe(0);
    await machine.ended;
  }, 30_000);
});
