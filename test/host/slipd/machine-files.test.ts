/** What slipd reads from the machine and writes to it, as text. */
import { expect, test } from 'vitest';
import { accountFiles, parseKeys } from '../../../host/slipd/accounts.ts';
import { parseRecord } from '../../../host/slipd/kernel-log.ts';
import { parseExit } from '../../../host/slipd/monitor.ts';
import { observe, UNKNOWN_EXIT, type MonitorFacts } from '../../../host/slipd/plan/observe.ts';
import { initialMemory } from '../../../host/slipd/plan/memory.ts';
import { describeMachine, service } from './plan/descriptions.ts';

const BASE = { passwd: 'root:x:0:0:root:/root:/bin/sh\n', group: 'root:x:0:\noperators:x:900:\n' };
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGw me@home';

test('users, groups and keys; no password opens anything', () => {
  const users = [
    {
      name: 'admin',
      uid: 1000,
      groups: ['operators', 'video'],
      shell: '/bin/sh',
      sshAuthorizedKeys: ['ssh-rsa AAAA own'],
    },
    { name: 'guest', uid: 1001, groups: [], shell: '/bin/sh', sshAuthorizedKeys: [] },
  ];
  const files = accountFiles(users, BASE, [KEY]);
  expect(files.passwd).toBe(
    `${BASE.passwd}admin:x:1000:1000::/home/admin:/bin/sh\nguest:x:1001:1001::/home/guest:/bin/sh\n`,
  );
  expect(files.group).toBe(
    'root:x:0:\noperators:x:900:admin\nadmin:x:1000:\nvideo:x:901:admin\nguest:x:1001:\n',
  );
  for (const line of files.shadow.trim().split('\n')) expect(line.split(':')[1]).toBe('*');
  expect(files.authorizedKeys).toEqual({ admin: `ssh-rsa AAAA own\n${KEY}\n`, guest: '' });
  expect(files.homes[0]).toEqual({ path: '/var/lib/slipway/home/admin', uid: 1000, gid: 1000, mode: 0o700 });
});

test('only plain keys are taken from outside: no options, no other text', () => {
  expect(
    parseKeys(
      `${KEY}\n\n# comment\ncommand="reboot" ${KEY}\nnonsense\n sk-ssh-ed25519@openssh.com AAAA x \n`,
    ),
  ).toEqual([KEY, 'sk-ssh-ed25519@openssh.com AAAA x']);
});

test.each([
  ['7 0 12.34\n', { code: 7, atMs: 12_340 }],
  ['-1 9 100.00\n', { code: 137, atMs: 100_000 }],
  ['0 0 5\n', { code: 0, atMs: 5_000 }],
  ['', null],
  ['7 0 12', null],
  [undefined, null],
])('an exit is told by %j', (text, exit) => {
  expect(parseExit(text)).toEqual(exit);
});

test('an out-of-memory kill is known by its control group', () => {
  const record =
    '6,1542,98765432,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=web,mems_allowed=0,oom_memcg=/slipway/web,task_memcg=/slipway/web,task=nginx,pid=312,uid=0\n SUBSYSTEM=x\n';
  expect(parseRecord(record)).toEqual({ service: 'web', task: 'nginx', atMs: 98_765 });
  expect(parseRecord('6,1,2,-;random text about oom-kill')).toBeUndefined();
  expect(parseRecord(record.replace('task_memcg=/slipway/web', 'task_memcg=/init'))).toBeUndefined();
});

test.each<[string, Partial<MonitorFacts>, 'starting' | 'up', number | null, object]>([
  ['runs', { pid: 9 }, 'up', null, { events: [], remedy: 'none' }],
  [
    'has come up',
    { pid: 9 },
    'starting',
    null,
    { events: [{ kind: 'started', service: 'a', run: 2, atMs: 9_000 }] },
  ],
  [
    'has ended',
    { running: false, exit: { code: 7, atMs: 8_000 } },
    'up',
    null,
    { events: [{ kind: 'exited', service: 'a', run: 2, code: 7, atMs: 8_000 }] },
  ],
  [
    'has ended an earlier run',
    { run: 1, exit: { code: 7, atMs: 8_000 } },
    'starting',
    null,
    { events: [], remedy: 'start' },
  ],
  ['lost the order', { running: false }, 'starting', 5_000, { events: [], remedy: 'start' }],
  [
    'was silent only for a moment',
    { running: false },
    'starting',
    8_500,
    { events: [], remedy: 'none', silentSinceMs: 8_500 },
  ],
  [
    'ended unseen',
    { running: false, pid: 9 },
    'up',
    5_000,
    { events: [{ kind: 'exited', service: 'a', run: 2, code: UNKNOWN_EXIT, atMs: 9_000 }] },
  ],
  ['lost its monitor', { alive: false, pid: 9 }, 'up', 5_000, { events: [], remedy: 'revive' }],
])('a service that %s', (_, change, phase, silentSinceMs, expected) => {
  const own = { ...initialMemory(describeMachine(service('a')), 0).services['a']!, phase, run: 2 };
  const facts: MonitorFacts = { alive: true, running: true, run: 2, pid: null, exit: null, ...change };
  expect(observe('a', own, facts, silentSinceMs, 9_000)).toMatchObject(expected);
});
