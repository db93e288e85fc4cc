/** write_files, on a machine in a directory. */
import { linkSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { answers, scratch, told, type Scratch } from './scratch.ts';

let machine: Scratch;
beforeEach(() => {
  machine = scratch();
});
afterEach(() => machine.remove());

const APP = 'users: [default, {name: app}]';

test('users first, then their files: owner, mode, parents; the second time nothing changes', async () => {
  const lines = [
    APP,
    'write_files:',
    "  - { path: /home/app/.config/tool/settings, content: 'a=1', owner: app, permissions: '0600' }",
    '  - { path: /var/data/motd, content: hello }',
  ];
  const first = await machine.run(lines);
  expect(told(first)).toEqual(['users 2 applied', 'write_files 4 applied']);
  expect(machine.read('/var/lib/slipway/home/app/.config/tool/settings')).toBe('a=1');
  expect(machine.ownership('/var/lib/slipway/home/app/.config/tool/settings')).toBe('600 2000:2000');
  expect(machine.ownership('/var/lib/slipway/home/app/.config')).toBe('755 2000:2000');
  expect(machine.ownership('/var/data/motd')).toBe('644 0:0');
  expect(machine.ownership('/var/data')).toBe('755 0:0');
  expect(first.changed).toBe(true);
  machine.started.length = 0;
  const second = await machine.run(lines);
  expect(second.changed).toBe(false);
  expect(machine.started).toEqual([]);
});

test.each([
  ['/etc/motd', 'the root file system is read-only'],
  ['/opt/x', '/opt/x could be /var/opt/x'],
  ['/var/lib/slipway/host-id', "the system's own"],
  ['/run/slipway/memory.json', "the system's own"],
  ['/run/etc/passwd', 'is generated'],
  ['/var/log/slipway/ssh/current', 'logs of services'],
])('%s is not written', async (path, why) => {
  const applied = await machine.run([
    'write_files:',
    `  - { path: ${path}, content: x }`,
    '  - { path: /var/ok, content: y }',
  ]);
  expect(told(applied)).toEqual([
    expect.stringContaining(`write_files 3 failed: ${path}`),
    'write_files 4 applied',
  ]);
  expect(told(applied)[0]).toContain(why);
  expect(machine.read('/var/ok')).toBe('y');
  expect(machine.read(path)).toBeUndefined();
});

test('an unknown owner is told; nothing is written with another', async () => {
  const applied = await machine.run(['write_files:', '  - { path: /var/x, content: x, owner: "app:app" }']);
  expect(told(applied)).toEqual(['write_files 3 failed: /var/x: there is no user app']);
});

test('what is appended stands there once, however often it is applied', async () => {
  machine.write('/var/list', 'old\n');
  const lines = ['write_files:', '  - { path: /var/list, content: "new\\n", append: true }'];
  await machine.run(lines);
  const again = await machine.run(lines);
  expect(machine.read('/var/list')).toBe('old\nnew\n');
  expect(again.changed).toBe(false);
});

test('entries of one path are one file: replaced, then appended to', async () => {
  const lines = [
    'write_files:',
    '  - { path: /var/list, content: "a\\n", permissions: "0600" }',
    '  - { path: /var/list, content: "b\\n", append: true }',
  ];
  await machine.run(lines);
  expect(machine.read('/var/list')).toBe('a\nb\n');
  expect(machine.ownership('/var/list')).toBe('600 0:0');
  expect((await machine.run(lines)).changed).toBe(false);
});

test('no symbolic link is followed: not the last name, not one on the way', async () => {
  machine.write('/var/secret/key', 'secret');
  mkdirSync(join(machine.root, 'var/lib/slipway/home/app'), { recursive: true });
  symlinkSync('/var/secret', join(machine.root, 'var/lib/slipway/home/app/way'));
  symlinkSync('/var/secret/key', join(machine.root, 'var/lib/slipway/home/app/last'));
  const applied = await machine.run([
    APP,
    'write_files:',
    '  - { path: /home/app/way/key, content: x }',
    '  - { path: /home/app/last, content: x }',
    '  - { path: /home/app/last, content: x, append: true }',
  ]);
  expect(told(applied)).toEqual([
    'users 2 applied',
    'write_files 4 failed: /var/lib/slipway/home/app/way/key: /var/lib/slipway/home/app/way: it is a symbolic link, and none is followed',
    'write_files 5 failed: /var/lib/slipway/home/app/last is a symlink, and stays',
  ]);
  expect(machine.read('/var/secret/key')).toBe('secret');
});

test('nothing is added to a file that somebody linked from elsewhere', async () => {
  machine.write('/var/secret', 'secret');
  mkdirSync(join(machine.root, 'var/lib/slipway/home/app'), { recursive: true });
  linkSync(join(machine.root, 'var/secret'), join(machine.root, 'var/lib/slipway/home/app/log'));
  const applied = await machine.run([
    APP,
    'write_files:',
    '  - { path: /home/app/log, content: x, owner: app, append: true }',
  ]);
  expect(told(applied)[1]).toBe(
    'write_files 4 failed: /var/lib/slipway/home/app/log has another name, too: it is not read',
  );
});

test('a source is fetched, once there is a network; `content` stands in when it cannot be', async () => {
  const lines = [
    'write_files:',
    '  - { path: /var/a, source: { uri: "http://files.example/a" } }',
    '  - { path: /var/b, content: own, source: { uri: "http://files.example/b?token=geheim" } }',
    '  - { path: /var/c, source: { uri: "http://files.example/c?token=geheim" } }',
  ];
  const offline = await machine.run(lines, { phases: ['early', 'state'] });
  expect(told(offline)).toEqual([
    'write_files 3 pending: when there is a network',
    'write_files 4 pending: when there is a network',
    'write_files 5 pending: when there is a network',
  ]);
  const { http, asked } = answers({ 'http://files.example/a': 'fetched' });
  const online = await machine.run(lines, { phases: ['online'], before: ['early', 'state'], http });
  expect(asked).toHaveLength(3);
  expect(machine.read('/var/a')).toBe('fetched');
  expect(machine.read('/var/b')).toBe('own');
  expect(told(online).join('\n')).not.toContain('geheim');
  expect(told(online).slice(1)).toEqual([
    'write_files 4 applied: /var/b: its source could not be had (the server has no such file): `content` stands in',
    'write_files 5 failed: /var/c: the server has no such file',
  ]);
});

test('on a full disk the old file stays, nothing is left over, and the reason is told', async () => {
  machine.write('/var/app.conf', 'old');
  machine.full = true;
  const applied = await machine.run(['write_files:', '  - { path: /var/app.conf, content: new }']);
  expect(told(applied)).toEqual([
    'write_files 3 failed: /var/app.conf cannot be written: there is no space left, or the disk fails',
  ]);
  expect(machine.read('/var/app.conf')).toBe('old');
  expect(machine.system.list('/var').filter((name) => name.startsWith('.'))).toEqual([]);
  machine.full = false;
  await machine.run(['write_files:', '  - { path: /var/app.conf, content: new }']);
  expect(machine.read('/var/app.conf')).toBe('new');
});
