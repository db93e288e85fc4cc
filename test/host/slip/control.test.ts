/** `slip` and its control channel, against the real slipd. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  canRunMachines,
  OPERATORS,
  startHostMachine,
  type HostMachine,
  type TestService,
} from '../machine.ts';
import { service } from '../slipd/plan/descriptions.ts';

const obedient = "trap 'echo bye; exit 0' TERM; while :; do sleep 1 & wait; done";
const make = (name: string, script: string, change: Partial<TestService> = {}): TestService => ({
  ...service(name),
  script,
  ...change,
});
/** Shell words that become the ids of processes with this in their command line. */
const pidOf = (text: string): string =>
  `$(ps -o pid,args | awk '/[${text[0]!}]${text.slice(1).replaceAll('/', '.')}/ {print $1}')`;

describe.skipIf(!(await canRunMachines()))('the control channel', () => {
  let machine: HostMachine;

  beforeAll(async () => {
    machine = await startHostMachine([make('app', obedient)]);
    await machine.until(
      'healthy',
      ({ boot, services }) => boot === 'healthy' && services[0]!.state === 'running',
    );
  }, 120_000);
  afterAll(() => machine?.destroy());

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
});
