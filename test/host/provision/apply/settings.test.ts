/** Names, settings, what runs once, what comes last: on a machine in a directory. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatLayer, parseLayer } from '../../../../updater/device/policy/merge.ts';
import { SETTINGS } from '../../../../updater/device/policy/settings.ts';
import { POLICY } from '../plan/facts.ts';
import { answers, scratch, told, type Scratch } from './scratch.ts';

let machine: Scratch;
beforeEach(() => {
  machine = scratch();
});
afterEach(() => machine.remove());

const CERTIFICATE = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB one';

test('the name: the kernel’s, /etc/hostname, /etc/hosts; without the key the old one returns', async () => {
  const applied = await machine.run(['hostname: web1', 'fqdn: web1.example.org']);
  expect(told(applied)).toEqual(['hostname 2 applied', 'fqdn 3 applied']);
  expect(machine.read('/proc/sys/kernel/hostname')).toBe('web1\n');
  expect(machine.read('/run/etc/hostname')).toBe('web1\n');
  expect(machine.read('/run/etc/hosts')).toContain('127.0.1.1 web1.example.org web1\n');
  expect(applied.machine.hostname).toBe('web1');
  await machine.run(['locale: C']);
  expect(machine.read('/proc/sys/kernel/hostname')).toBe('minimal-01234567\n');
  expect(machine.read('/run/etc/hosts')).toContain('127.0.1.1 minimal-01234567\n');
});

test('a time zone is one that the C library understands, summer time and all', async () => {
  await machine.run(['timezone: Europe/Berlin']);
  const date = (at: string): string =>
    execFileSync('date', ['-d', at, '+%H:%M %Z'], {
      encoding: 'utf8',
      env: { ...process.env, TZ: `:${join(machine.root, 'run/etc/localtime')}` },
    }).trim();
  expect(date('2026-01-15T12:00:00Z')).toBe('13:00 CET');
  expect(date('2026-07-15T12:00:00Z')).toBe('14:00 CEST');
});

test('time servers take the place of the image’s, and `time` is started anew', async () => {
  const lines = ['ntp:', '  servers: [ntp1.example]', '  pools: [pool.example]', '  peers: [peer.example]'];
  const applied = await machine.run(lines);
  expect(machine.read('/run/etc/chrony/sources.conf')).toBe(
    'server ntp1.example iburst\npool pool.example iburst maxsources 4\npeer peer.example\n',
  );
  expect(machine.read('/run/etc/openntpd.conf')).toBe(
    'server ntp1.example\nserver peer.example\nservers pool.example\n',
  );
  expect(applied.restart).toEqual(['time']);
  expect((await machine.run(lines)).restart).toEqual([]);
  expect((await machine.run(['locale: C'])).restart).toEqual(['time']);
  expect(machine.read('/run/etc/chrony/sources.conf')).toBeUndefined();
});

test('certificates beside the image’s, or instead of them; the updater trusts them too', async () => {
  machine.write('/etc/ssl/certs/ca-certificates.crt', 'IMAGE\n');
  const lines = ['ca_certs:', '  trusted:', `    - |\n${CERTIFICATE.replace(/^/gm, '      ')}`];
  expect(told(await machine.run(lines))).toEqual(['ca_certs 3 applied']);
  expect(machine.read('/run/etc/ssl/ca-certificates.crt')).toBe(`IMAGE\n${CERTIFICATE}\n`);
  expect(parseLayer(machine.read('/run/slipway/update/provisioning.json') ?? '')).toEqual({
    ca: '/run/etc/ssl/ca-certificates.crt',
  });
  await machine.run([...lines, '  remove_defaults: true']);
  expect(machine.read('/run/etc/ssl/ca-certificates.crt')).toBe(`${CERTIFICATE}\n`);
});

test('`update:` in the form that the updater reads', async () => {
  await machine.run([
    'update:',
    '  url: https://updates.example/repository',
    '  channel: beta',
    '  poll: 10m',
    '  reboot: window',
    '  windows: [{ days: [sat, sun], from: "02:00", to: "05:00", time_zone: Europe/Berlin }]',
    '  metered: true',
    '  bandwidth_limit: 500kB',
    '  wave: early',
  ]);
  const text = machine.read('/run/slipway/update/provisioning.json') ?? '';
  const layer = parseLayer(text);
  expect(formatLayer(layer ?? {})).toBe(text);
  for (const [key, written] of Object.entries(layer ?? {}))
    expect(SETTINGS[key]?.parse(written), key).toBeDefined();
  expect(Object.keys(layer ?? {}).sort()).toEqual(
    ['bandwidth_limit', 'channel', 'metered', 'poll', 'reboot', 'url', 'wave', 'windows'].sort(),
  );
  expect(SETTINGS['windows']?.parse(layer?.['windows'] ?? '')).toMatchObject([
    { days: [0, 6], fromMinute: 120 },
  ]);
  expect(machine.ownership('/run/slipway/update/provisioning.json')).toBe('600 0:0');
});

test('name servers come before those of DHCP', async () => {
  const lines = [
    'manage_resolv_conf: true',
    'resolv_conf:',
    '  nameservers: [192.0.2.1]',
    '  searchdomains: [a.example, b.example]',
  ];
  expect((await machine.run(lines)).restart).toEqual(['network']);
  expect(machine.read('/run/etc/resolv.d/00-provisioning')).toBe(
    'search a.example b.example\nnameserver 192.0.2.1\n',
  );
});

test('host keys are where `ssh` finds them, and no one else does', async () => {
  const key = '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----';
  machine.write('/var/lib/ssh/ssh_host_ed25519_key', 'old');
  const lines = [
    'ssh_deletekeys: true',
    'ssh_keys:',
    `  rsa_private: |\n${key.replace(/^/gm, '    ')}`,
    '  rsa_public: ssh-rsa AAAA',
  ];
  const applied = await machine.run(lines);
  expect(told(applied).filter((line) => line.includes('failed'))).toEqual([]);
  expect(machine.read('/var/lib/ssh/ssh_host_rsa_key')).toBe(`${key}\n`);
  expect(machine.ownership('/var/lib/ssh/ssh_host_rsa_key')).toBe('600 0:0');
  expect(machine.read('/var/lib/ssh/ssh_host_ed25519_key')).toBeUndefined();
  expect(machine.read('/var/lib/ssh/key-types')).toBe('');
  expect(applied.restart).toEqual(['ssh']);
  // Keys that the service made since are not the old machine's.
  machine.write('/var/lib/ssh/ssh_host_ed25519_key', 'new');
  expect((await machine.run(lines)).changed).toBe(false);
  expect(machine.read('/var/lib/ssh/ssh_host_ed25519_key')).toBe('new');
});

test('keys are fetched once there is a network, and kept for when there is none', async () => {
  const lines = ['ssh_import_id: [gh:octocat, lp:nobody]'];
  const first = await machine.run(lines, { phases: ['early', 'state'] });
  expect(told(first)).toContain(
    'ssh_import_id 2 pending: the keys of gh:octocat are fetched when there is a network',
  );
  const { http } = answers({ 'https://github.com/octocat.keys': `${KEY}\n<html>\n` });
  const online = await machine.run(lines, { http });
  expect(online.machine.users).toMatchObject([{ name: 'admin', sshAuthorizedKeys: [KEY] }]);
  expect(told(online)).toEqual([
    'ssh_import_id 2 failed: the keys of lp:nobody for admin could not be fetched',
  ]);
  const later = await machine.run(lines, { phases: ['early', 'state'] });
  expect(later.machine.users).toMatchObject([{ sshAuthorizedKeys: [KEY] }]);
});

test('what the policy does not allow is refused with the line that would allow it, and not done', async () => {
  const policy = { ...POLICY, sources: { nocloud: ['users', 'files'] as const } };
  const applied = await machine.run(
    ['hostname: web1', 'runcmd: [echo geheim]', 'write_files: [{path: /var/x, content: y}]'],
    {},
    {},
    policy,
  );
  expect(told(applied)).toEqual([
    'hostname 2 refused: this image does not let nocloud do that; its definition would by: provisioning: { sources: { nocloud: [users, files, network] } }',
    'runcmd 3 refused: this image does not let nocloud do that; its definition would by: provisioning: { sources: { nocloud: [users, files, scripts] } }',
    'write_files 4 applied',
  ]);
  expect(machine.read('/run/etc/hostname')).toBe('minimal-01234567\n');
  expect(machine.started.flat().join(' ')).not.toContain('crun');
});

test('the call home, once, with what was asked for, and no address in what is told', async () => {
  const lines = [
    'phone_home:',
    '  url: http://home.example/?token=geheim',
    '  post: [instance_id, hostname]',
    '  tries: 2',
  ];
  const refused = answers({});
  const failing = await machine.run(lines, { http: refused.http });
  expect(refused.asked).toHaveLength(2);
  expect(told(failing)).toEqual(['phone_home 3 failed: nobody answered the call home, 2 times']);
  const heard = answers({ 'http://home.example/?token=geheim': '' });
  await machine.run(lines, { http: heard.http });
  expect(heard.asked).toEqual([
    'POST http://home.example/?token=geheim instance_id=i-1&hostname=minimal-01234567',
  ]);
  const again = answers({});
  expect(told(await machine.run(lines, { http: again.http }))).toEqual(['phone_home 3 applied']);
  expect(again.asked).toEqual([]);
});

test('a machine goes down once, not at every boot', async () => {
  const lines = ['power_state: { mode: reboot, delay: "+1", message: bye }'];
  expect((await machine.run(lines)).power).toEqual({ mode: 'reboot', delaySeconds: 60, message: 'bye' });
  expect((await machine.run(lines)).power).toBeNull();
  expect((await machine.run(lines, {}, { instanceId: 'i-2' })).power).not.toBeNull();
});

test('the last message, with its variables, on the console', async () => {
  await machine.run(['final_message: "up after $UPTIME s from $DATASOURCE, $VERSION"']);
  expect(machine.read('/dev/console')).toMatch(/^up after \d+\.\d\d s from nocloud, 1\.0\.0\r\n$/);
});
