/** Accounts as people write them, and what is left of passwords and sudo. */
import { describe, expect, test } from 'vitest';
import { redact } from '../../../../host/provision/config.ts';
import { config, states, told } from '../document/reading.ts';

const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIgexampleexampleexampleexampleexampleexample ann';

describe('users', () => {
  test('with everything that matters here', async () => {
    const result = await config(
      'users:',
      '  - default',
      '  - name: ann',
      '    gecos: Ann Example',
      '    uid: 1500',
      '    primary_group: staff',
      '    groups: docker, sudo',
      '    homedir: /var/home/ann',
      '    shell: /bin/sh',
      `    ssh_authorized_keys: ['${KEY}']`,
      '    ssh_import_id: [gh:ann]',
    );
    expect(told(result)).toEqual([]);
    expect(states(result)).toEqual(['users pending']);
    expect(result.config.users?.withDefault).toEqual({ part: 'user-data', line: 3, column: 5 });
    expect(result.config.users?.entries).toMatchObject([
      {
        name: { value: 'ann', at: { line: 4, column: 11 } },
        gecos: { value: 'Ann Example' },
        uid: { value: 1500 },
        primaryGroup: { value: 'staff' },
        groups: [{ value: 'docker' }],
        operator: { value: true },
        homeDir: { value: '/var/home/ann' },
        sshAuthorizedKeys: [{ value: KEY }],
        sshImportIds: [{ value: 'gh:ann' }],
      },
    ]);
  });

  test.each([
    ['users: default', [true, []]],
    ['users: ann, bob', [false, ['ann', 'bob']]],
    ['users: [default, ann]', [true, ['ann']]],
    ['users: {ann: true, bob: false}', [false, ['ann']]],
    ['users: {default: true, ann: {shell: /bin/sh}}', [true, ['ann']]],
  ])('%s', async (line, expected) => {
    const { users } = (await config(line)).config;
    expect([users?.withDefault !== undefined, users?.entries.map(({ name }) => name?.value)]).toEqual(
      expected,
    );
  });

  test.each([
    ['sudo: ALL=(ALL) NOPASSWD:ALL', true],
    ["sudo: ['ALL=(ALL) ALL']", true],
    ['sudo: false', false],
    ['groups: [wheel]', true],
    ['groups: [admin, a]', true],
    ['doas: [permit ann]', true],
    ['groups: [a]', undefined],
  ])('%s: operator %s', async (line, operator) => {
    const { users } = (await config('users:', '  - name: ann', `    ${line}`)).config;
    expect(users?.entries[0]?.operator?.value).toBe(operator);
  });

  test('passwords are dropped, and say so; old spellings are heard', async () => {
    const result = await config(
      'users:',
      '  - name: ann',
      '    plain_text_passwd: hunter2',
      '    lock-passwd: no',
      '  - name: bob',
      '    lock_passwd: true',
      '    hashed-passwd: $6$hunter2',
      'chpasswd: {expire: false, users: [{name: ann, password: hunter2}]}',
      'password: hunter2',
      'ssh_pwauth: yes',
      'disable_root: true',
    );
    expect(told(result)).toEqual([]);
    expect(states(result)).toEqual([
      'users pending',
      'users.plain_text_passwd ignored',
      'users.lock_passwd ignored',
      'users.lock_passwd applied',
      'users.hashed_passwd ignored',
      'chpasswd.expire ignored',
      'chpasswd.users ignored',
      'chpasswd ignored',
      'password ignored',
      'ssh_pwauth ignored',
      'disable_root applied',
    ]);
    expect(JSON.stringify(result.config) + JSON.stringify(result.keys)).not.toContain('hunter2');
  });

  test('a fault leaves what gets the user in', async () => {
    const result = await config(
      'users:',
      '  - name: ann',
      '    uid: many',
      `    ssh_authorized_keys: ['${KEY}', nonsense]`,
    );
    expect(told(result)).toEqual([
      "4: expected a whole number, found the text 'many'",
      '5: this is no public key of OpenSSH',
    ]);
    expect(result.config.users?.entries[0]?.sshAuthorizedKeys).toHaveLength(1);
    expect(states(result)).toEqual(['users failed']);
  });

  test.each([
    ['- name: ann\n    hsell: /bin/sh', "'hsell' is no key of a user"],
    ['- shell: /bin/sh', "'name' is missing in a user"],
    ['- name: Ann', "'Ann' is no name of a user or group"],
    ['- name: 12', 'expected a text (name), found the number 12'],
    ['- ann\n  - ann', "the user 'ann' stands here twice"],
    ['- name: ann\n    uid: 0', 'expected a whole number from 1 to 60000'],
    ['- name: ann\n    uid: 01000', '01000 means one number to YAML 1.1 and another to YAML 1.2'],
    ['- name: ann\n    uid: 99999999999999999999', 'expected a whole number from 1 to 60000'],
  ])('users:\n  %s', async (lines, message) => {
    expect(told(await config('users:', `  ${lines}`)).map((line) => line.replace(/^\d+: /, ''))).toEqual([
      message,
    ]);
  });
});

test('groups in every form', async () => {
  const forms = [
    'groups: [a, {b: [ann, bob]}]',
    'groups: {a: [], b: [ann, bob]}',
    'groups: {a: "", b: "ann,bob"}',
  ];
  for (const form of forms) {
    const { groups } = (await config(form)).config;
    expect(groups.map(({ name, members }) => [name.value, members.map(({ value }) => value)])).toEqual([
      ['a', []],
      ['b', ['ann', 'bob']],
    ]);
  }
  expect((await config('groups: a, b')).config.groups.map(({ name }) => name.value)).toEqual(['a', 'b']);
});

test('private host keys are secrets, in faults too', async () => {
  const pem = '-----BEGIN OPENSSH PRIVATE KEY-----\\nhunter2\\n-----END OPENSSH PRIVATE KEY-----\\n';
  const good = await config(`ssh_keys: {ed25519_private: "${pem}", ed25519_public: ssh-ed25519 AAAA}`);
  expect(good.config.ssh.hostKeys.map(({ type, kind, text }) => [type, kind, text.secret])).toEqual([
    ['ed25519', 'private', true],
    ['ed25519', 'public', undefined],
  ]);
  expect(redact(good.config)).not.toContain('hunter2');
  const bad = await config('ssh_keys: {rsa_private: hunter2, dsa_private: x}');
  expect(told(bad)).toEqual(['2: this is no private key (PEM)', "2: 'dsa_private' is no key of ssh_keys"]);
  expect(JSON.stringify(bad.diagnostics[0])).not.toContain('hunter2');
});
