/** Users and groups, as people write them. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { MachineFacts } from '../../../../host/provision/plan/facts.ts';
import { FACTS, plan, stepsOf, verdicts } from './facts.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB one';
const OTHER = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC two';

async function users(lines: readonly string[], facts: Partial<MachineFacts> = {}) {
  return stepsOf(await plan(lines, facts), 'accounts')[0]?.users ?? [];
}

test('a new user gets the first free number, operators by sudo, and his keys', async () => {
  const made = await users([
    'users:',
    '  - default',
    '  - name: app',
    '    sudo: ALL=(ALL) NOPASSWD:ALL',
    '    groups: docker, users',
    `    ssh_authorized_keys: ['${KEY}']`,
  ]);
  expect(made).toMatchObject([
    { name: 'app', uid: 2000, groups: ['docker', 'operators', 'users'], keys: [KEY], isNew: true },
    { name: 'admin', uid: 1000, groups: [], keys: [], isNew: false },
  ]);
});

test("keys at the top go to the image's first operator", async () => {
  expect(await users([`ssh_authorized_keys: ['${KEY}']`])).toMatchObject([{ name: 'admin', keys: [KEY] }]);
});

test('without an operator in the image, the default user is made, and is one', async () => {
  const image = { ...FACTS.image, users: [] };
  expect(await users([`ssh_authorized_keys: ['${KEY}']`], { image })).toMatchObject([
    { name: 'admin', uid: 2000, groups: ['operators'], isNew: true },
  ]);
});

test('the platform’s keys open the door, even where nobody wrote anything', async () => {
  const platform = { hostname: null, publicKeys: [KEY, 'garbage'] };
  expect(await users(['locale: C'], { platform })).toMatchObject([{ name: 'admin', keys: [KEY] }]);
});

test('where `default` was left out, the keys go to the listed operator, and that is told', async () => {
  const made = await plan([
    'users:',
    '  - name: guest',
    '  - { name: boss, groups: [wheel] }',
    `ssh_authorized_keys: ['${KEY}']`,
  ]);
  expect(stepsOf(made, 'accounts')[0]?.users.map(({ name, keys }) => [name, keys.length])).toEqual([
    ['guest', 0],
    ['boss', 1],
  ]);
  expect(verdicts(made)).toEqual([
    'ssh_authorized_keys 5 applied: for boss, since `users` does not name `default`',
  ]);
});

test('`users: []` and keys: nobody is there to get them', async () => {
  expect(verdicts(await plan(['users: []', `ssh_authorized_keys: ['${KEY}']`]))).toEqual([
    'ssh_authorized_keys 3 failed: `users` names nobody: whose keys are these?',
  ]);
});

test('`user:` says who the default user is', async () => {
  const made = await users(['user: { name: core, groups: [video] }', `ssh_authorized_keys: ['${KEY}']`]);
  expect(made).toMatchObject([{ name: 'core', uid: 2000, groups: ['operators', 'video'], keys: [KEY] }]);
});

test("the image's users get groups and keys, nothing else", async () => {
  const made = await plan([
    'users:',
    `  - { name: admin, uid: 1500, shell: /usr/sbin/nologin, groups: [video], ssh_authorized_keys: ['${OTHER}'] }`,
  ]);
  expect(stepsOf(made, 'accounts')[0]?.users).toMatchObject([
    { name: 'admin', uid: 1000, shell: '/bin/sh', groups: ['video'], keys: [OTHER] },
  ]);
  expect(verdicts(made)).toEqual([
    'users 3 ignored: admin keeps 1000 on this machine: files belong to that number',
    'users.shell 3 ignored: the image says what its users log in with',
  ]);
});

test.each([
  ['root', 'users 3 ignored: root does not log in: operators have `slip shell`'],
  ['sshd', "users 3 failed: sshd is a name of the system's own"],
  ['tty', "users 3 failed: tty is a name of the system's own"],
])('%s is nobody’s to be', async (name, told) => {
  expect(verdicts(await plan(['users:', `  - name: ${name}`]))).toEqual([told]);
});

test('a number that another has is refused, his own is not', async () => {
  const remembered = { users: { old: 2000, app: 2001 }, groups: {} };
  const made = await plan(
    ['users:', '  - { name: new, uid: 2000 }', '  - { name: app, uid: 3000 }', '  - { name: next }'],
    { remembered },
  );
  expect(stepsOf(made, 'accounts')[0]?.users.map(({ name, uid }) => [name, uid])).toEqual([
    ['app', 2001],
    ['next', 2002],
  ]);
  expect(verdicts(made)).toEqual([
    'users 3 failed: the number 2000 belongs to old: files of both would be one another’s'.replace('’', "'"),
    'users 4 failed: app keeps 2001 on this machine: files belong to that number',
  ]);
});

test('groups are made with their members; who is no user is told', async () => {
  const made = await plan([
    'groups:',
    '  - data: [app, admin, nobody-here]',
    'users: [default, {name: app}]',
  ]);
  const [accounts] = stepsOf(made, 'accounts');
  expect(accounts?.groups).toEqual([{ name: 'data', gid: 2001, members: ['admin', 'app'] }]);
  expect(verdicts(made)).toEqual(['groups 3 failed: there is no user nobody-here']);
});

test('shells that are not here, homes elsewhere: told, and the user is made', async () => {
  const made = await plan(['users:', '  - { name: app, shell: /bin/zsh, homedir: /srv/app }']);
  expect(stepsOf(made, 'accounts')[0]?.users).toMatchObject([{ shell: '/bin/sh' }]);
  expect(verdicts(made)).toEqual([
    'users.shell 3 ignored: there is no /bin/zsh where users log in: /bin/sh',
    'users.homedir 3 ignored: the home of app is /home/app',
  ]);
});

test('keys that are fetched are wanted once there is a network', async () => {
  const made = stepsOf(await plan(['ssh_import_id: [gh:octocat]']), 'accounts');
  expect(made.map(({ phase, fetch }) => [phase, fetch])).toEqual([
    ['state', false],
    ['online', true],
  ]);
});

test('nobody ever gets a number that somebody else has or had', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'constructor', 'valueof');
  const entry = fc.record({ name, uid: fc.option(fc.integer({ min: 1998, max: 2004 })), group: name });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uniqueArray(entry, { selector: (one) => one.name, maxLength: 5 }), { maxLength: 4 }),
      async (configs) => {
        let remembered: MachineFacts['remembered'] = { users: {}, groups: {} };
        const ever = new Map<number, string>();
        for (const entries of configs) {
          const lines = entries.map(
            (one) =>
              `  - { name: ${one.name}, groups: [g${one.group}]${one.uid === null ? '' : `, uid: ${one.uid}`} }`,
          );
          const made = await plan(['users:', ...(lines.length === 0 ? ['  []'] : lines)], { remembered });
          const [accounts] = stepsOf(made, 'accounts');
          for (const { name: who, id } of [
            ...(accounts?.users ?? []).map((user) => ({ name: user.name, id: user.uid })),
            ...(accounts?.groups ?? []).map((group) => ({ name: group.name, id: group.gid })),
          ]) {
            expect(ever.get(id) ?? who).toBe(who);
            ever.set(id, who);
          }
          remembered = accounts?.ids ?? remembered;
        }
      },
    ),
    { numRuns: 20 },
  );
});
