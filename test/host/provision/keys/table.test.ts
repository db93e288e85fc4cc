/** The table of keys: complete, explained, and in the page. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { withKeyTables } from '../../../../host/provision/keys/page.ts';
import { KEY_PROSE } from '../../../../host/provision/keys/prose.ts';
import { REJECTED_KEYS } from '../../../../host/provision/keys/rejected.ts';
import { keyNamed, KEYS, rightOf } from '../../../../host/provision/keys/table.ts';
import { config, states, told } from '../document/reading.ts';

/** Groups A and B: the names that cover a container host. */
const NAMES =
  'users user groups runcmd hostname write_files ssh_authorized_keys bootcmd mounts ntp disk_setup fs_setup timezone manage_etc_hosts fqdn prefer_fqdn_over_hostname preserve_hostname chpasswd password ssh_pwauth disable_root growpart resize_rootfs swap power_state ssh_import_id ssh_keys ssh_deletekeys ssh_genkeytypes ca_certs resolv_conf manage_resolv_conf merge_how merge_type phone_home final_message random_seed output vendor_data version updates device_aliases mount_default_fields locale keyboard'.split(
    ' ',
  );

test('it has the 45 names of cloud-init, and ours', () => {
  const named = (groups: readonly string[]): string[] =>
    KEYS.filter(({ group }) => groups.includes(group)).map(({ name }) => name);
  expect(NAMES).toHaveLength(45);
  expect(named(['A', 'B']).sort()).toEqual([...NAMES].sort());
  expect(named(['own'])).toEqual(['services', 'update', 'install']);
  expect(keyNamed('ca-certs')?.name).toBe('ca_certs');
  expect([rightOf('users'), rightOf('runcmd'), rightOf('script part-001'), rightOf('final_message')]).toEqual(
    ['users', 'scripts', 'scripts', null],
  );
});

test('every key and sub-key is explained', () => {
  const skipped = ['user', 'ssh_keys', 'chpasswd', 'output', 'updates', 'merge_how', 'merge_type'];
  const wanted = KEYS.filter(({ group }) => group !== 'known').flatMap(({ name, members }) => [
    name,
    ...(skipped.includes(name) ? [] : Object.keys(members ?? {}).map((member) => `${name}.${member}`)),
  ]);
  expect(Object.keys(KEY_PROSE).sort()).toEqual(wanted.sort());
});

test('docs/provisioning.md has its tables: else run `node scripts/generate.mjs`', () => {
  const page = readFileSync(new URL('../../../../docs/provisioning.md', import.meta.url), 'utf8');
  expect(withKeyTables(page)).toBe(page);
});

test.each([...REJECTED_KEYS].map(([name, instead]) => [name, instead]))(
  '%s is an error that says what to do instead',
  async (name, instead) => {
    const result = await config('hostname: web', `${name}: {a: 1}`);
    expect(result.diagnostics).toMatchObject([
      { line: 3, column: 1, message: `'${name}' is not supported by Slipway`, hint: instead },
    ]);
    expect(states(result)).toEqual(['hostname pending', `${name} failed`]);
    expect(result.config.hostname?.value).toBe('web');
  },
);

test.each([
  ['hostnmae: web', "2: 'hostnmae' is no key of a #cloud-config"],
  ['network: {version: 2}', "2: 'network' is not supported by Slipway"],
  ['containers: {}', "2: 'containers' is not supported by Slipway"],
  ['hostname:', "2: warning: nothing stands after 'hostname'"],
  ['hostname: 12', '2: expected a text (host name), found the number 12'],
  ['hostname: [a]', '2: expected a text (host name), found a list'],
  ['timezone: Europe/Berln', "2: 'Europe/Berln' is no time zone"],
  ['ntp: {server: [a]}', "2: 'server' is no key of ntp"],
  ['runcmd: echo', '2: expected a list'],
  ['runcmd: [[sleep, 5]]', '2: warning: this number is read as the text that it is written as'],
  ['runcmd: [[]]', '2: a command has at least one word'],
  ['mounts: [[/dev/vdb, data]]', "2: 'data' is no absolute path"],
  ['mounts: [[a, /b, c, d, x]]', '2: field 5 of a mount is a digit, as in fstab(5)'],
  [
    'disk_setup: {/dev/vdb: {layout: [50, 60], table_type: gpt}}',
    '2: these partitions take 110 percent of the disk',
  ],
  ['fs_setup: [{device: /dev/vdb, filesystem: ext4, cmd: mkfs}]', "2: 'cmd' could run anything on the host"],
  ['swap: {size: 1.5X}', "2: expected a size such as 512M or 2G, found the text '1.5X'"],
  ['power_state: {mode: explode}', "2: expected one of 'poweroff', 'reboot', 'halt'"],
  ['phone_home: {tries: 3}', "2: 'url' is missing in phone_home"],
  ['services: {Web: {image: a}}', "2: 'Web' is no name of a service"],
  ['services: {web: nginx}', "2: expected a mapping with 'image' and more, found the text 'nginx'"],
  ['update: {windows: [{from: "02:00", to: "02:00"}]}', '2: this window is empty'],
  [
    'install: {disk: {path: /dev/vda, serial: x}}',
    "2: a disk is chosen by one of 'path', 'serial' and 'size'",
  ],
  ['a: 1\na: 2', "2: 'a' is no key of a #cloud-config"],
  ['ca_certs: {trusted: []}\nca-certs: {}', "3: 'ca-certs' and 'ca_certs' are the same key"],
  ['hostname: *web', '2: an alias without its anchor'],
])('%s: %s', async (line, message) => {
  expect(told(await config(line))).toContain(message);
});

test('keys without a plan say what became of them', async () => {
  const result = await config(
    'resolv_conf: {nameservers: [192.0.2.1]}',
    'ntp:',
    'version: 1',
    'rsyslog: {}',
    'mounts: [[swap, null]]',
    'locale: de_DE',
  );
  expect(told(result)).toEqual([]);
  expect(states(result)).toEqual([
    'resolv_conf ignored',
    'ntp pending',
    'version ignored',
    'rsyslog ignored',
    'mounts ignored',
    'locale ignored',
  ]);
});
