import { describe, expect, test } from 'vitest';
import { makeBundle, type Bundle } from '../../../oci/bundle.ts';
import { rootView } from '../../../builder/oci/root-view.ts';
import type { ServiceDefinition, VolumeMount } from '../../../spec/service.ts';
import { directory, file, root, service, symlink } from './service.ts';

const bindOf = (
  source: string,
  target: string,
  more: Partial<VolumeMount & { kind: 'bind' }> = {},
): VolumeMount => ({
  kind: 'bind',
  source,
  target,
  readOnly: false,
  propagation: '',
  createHostPath: false,
  ...more,
});

describe('mounts', () => {
  test("Docker's defaults", () => {
    const summary = bundle({}).config.mounts.map(({ destination, type, options }) =>
      [destination, type, options.includes('ro') ? 'ro' : 'rw'].join(' '),
    );
    expect(summary).toEqual([
      '/proc proc rw',
      '/dev tmpfs rw',
      '/sys sysfs ro',
      '/dev/pts devpts rw',
      '/dev/mqueue mqueue rw',
      '/dev/shm tmpfs rw',
      '/sys/fs/cgroup cgroup ro',
    ]);
  });

  test.each<[string, Partial<ServiceDefinition>, object]>([
    [
      'tmpfs',
      { volumes: [{ kind: 'tmpfs', target: '/c', sizeBytes: 9, mode: 0o1777 }] },
      { destination: '/c', type: 'tmpfs', options: ['nosuid', 'nodev', 'noexec', 'mode=1777', 'size=9'] },
    ],
    [
      'named volume',
      { volumes: [{ kind: 'volume', name: 'd', target: '/d', readOnly: true }] },
      { destination: '/d', source: '/var/lib/slipway/volumes/d', options: ['rbind', 'rprivate', 'rro'] },
    ],
    [
      'bind',
      { volumes: [bindOf('/run/a/', '/a/')] },
      { destination: '/a', source: '/run/a', options: ['rbind', 'rprivate', 'rw'] },
    ],
    [
      'bind propagation',
      { volumes: [bindOf('/a', '/a', { propagation: 'rshared' })] },
      { options: ['rbind', 'rshared', 'rw'] },
    ],
    [
      'state',
      { state: [{ path: '/var/lib/x', uid: 1, gid: 2, mode: 0o700 }] },
      { destination: '/var/lib/x', source: '/var/lib/slipway/state/web/var/lib/x' },
    ],
    ['network_mode: host', { networkMode: 'host' }, { destination: '/run/etc', source: '/run/etc' }],
    ['ipc: host', { ipc: 'host' }, { destination: '/dev/shm', source: '/dev/shm', type: 'bind' }],
    ['privileged', { privileged: true }, { destination: '/dev', source: '/dev', type: 'bind' }],
    ['init', { init: true }, { destination: '/dev/init', source: '/usr/bin/tini-static' }],
  ])('%s', (_key, changes, expected) => {
    expect(bundle(changes).config.mounts).toContainEqual(expect.objectContaining(expected));
  });

  test('a volume on the place of a default replaces it; parents come before children', () => {
    const { mounts } = bundle({
      volumes: [bindOf('/dev/pts', '/dev/pts'), bindOf('/b', '/a/b/c'), bindOf('/a', '/a')],
    }).config;
    expect(mounts.filter(({ destination }) => destination === '/dev/pts')).toHaveLength(1);
    const order = mounts.map(({ destination }) => destination);
    expect(order.indexOf('/a')).toBeLessThan(order.indexOf('/a/b/c'));
  });

  test('a shared bind makes the root pass mounts on', () => {
    expect(bundle({}).config.linux.rootfsPropagation).toBeUndefined();
    const slave = bundle({ volumes: [bindOf('/a', '/a', { propagation: 'slave' })] });
    expect(slave.config.linux.rootfsPropagation).toBe('slave');
  });
});

describe('what is added to the root, where crun could make nothing', () => {
  test.each<[string, Partial<ServiceDefinition>, Parameters<typeof root>[0], unknown[]]>([
    ['nothing, when every place is there', {}, [], []],
    [
      'a missing directory and its parents',
      { state: [{ path: '/srv/a/b', uid: 0, gid: 0, mode: 0o755 }] },
      [],
      ['/srv', '/srv/a', '/srv/a/b'].map((path) => ({ type: 'directory', path })),
    ],
    [
      'a place that a link leads to',
      { volumes: [bindOf('/x', '/var/run/x')] },
      [symlink('/var/run', '/run')],
      [{ type: 'directory', path: '/run/x' }],
    ],
    [
      'a file for a generated file',
      { volumes: [bindOf('/run/etc/passwd', '/etc/other')] },
      [],
      [{ type: 'file', path: '/etc/other' }],
    ],
    [
      'a file for what the machine has as a file',
      { volumes: [bindOf('/usr/lib/known', '/known')] },
      [],
      [{ type: 'file', path: '/known' }],
    ],
    [
      'nothing below another mount',
      { volumes: [{ kind: 'tmpfs', target: '/run' }, bindOf('/x', '/run/a/b')] },
      [],
      [],
    ],
    [
      'the links of /etc, over what an image has there',
      { networkMode: 'host' },
      [file('/etc/hosts', '', 0o644), directory('/run/etc')],
      [
        { type: 'symlink', path: '/etc/hosts', target: '/run/etc/hosts' },
        { type: 'symlink', path: '/etc/resolv.conf', target: '/run/etc/resolv.conf' },
        { type: 'symlink', path: '/etc/localtime', target: '/run/etc/localtime' },
      ],
    ],
    [
      'no link where the service mounts the file itself',
      { networkMode: 'host', volumes: [bindOf('/run/etc/hosts', '/etc/hosts')] },
      [directory('/run/etc')],
      [
        { type: 'file', path: '/etc/hosts' },
        { type: 'symlink', path: '/etc/resolv.conf', target: '/run/etc/resolv.conf' },
        { type: 'symlink', path: '/etc/localtime', target: '/run/etc/localtime' },
      ],
    ],
    [
      'no link over a time zone that an image brings',
      { networkMode: 'host', volumes: [bindOf('/run/etc/hosts', '/etc/hosts')] },
      [directory('/run/etc'), file('/etc/localtime', 'TZif2', 0o644)],
      [
        { type: 'file', path: '/etc/hosts' },
        { type: 'symlink', path: '/etc/resolv.conf', target: '/run/etc/resolv.conf' },
      ],
    ],
  ])('%s', (_what, changes, extra, expected) => {
    expect(bundle(changes, extra).rootAdditions).toEqual(expected);
  });
});

describe('what slipd prepares', () => {
  test('volumes as the root has the place, state with its owner, binds that ask for it', () => {
    const { machine } = bundle(
      {
        volumes: [
          { kind: 'volume', name: 'd', target: '/var/www', readOnly: false },
          bindOf('/srv/made', '/made', { createHostPath: true }),
          ...['/run/slip', '/run/etc/passwd', '/dev/pts', '/usr/lib/known', '/srv/app.sock'].map((path) =>
            bindOf(path, path, { createHostPath: true }),
          ),
          bindOf('/run/found', '/found'),
        ],
        state: [{ path: '/var/lib/x', uid: 1, gid: 2, mode: 0o700 }],
      },
      [{ ...directory('/var/www'), uid: 33, gid: 34, mode: 0o750 }],
    );
    expect(machine.directories).toEqual([
      { path: '/var/lib/slipway/volumes/d', uid: 33, gid: 34, mode: 0o750 },
      { path: '/srv/made', uid: 0, gid: 0, mode: 0o755, keep: true },
      { path: '/var/lib/slipway/state/web', uid: 0, gid: 0, mode: 0o755 },
      { path: '/var/lib/slipway/state/web/var/lib/x', uid: 1, gid: 2, mode: 0o700 },
    ]);
    expect(machine.writable).toBe(false);
  });

  test('a health check in the shell, as an argv', () => {
    const check = { intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0, startIntervalMs: 1 };
    const command = (words: string[]): unknown =>
      bundle({ healthCheck: { command: words, ...check } }).machine.healthCheck?.command;
    expect(command(['CMD-SHELL', 'a || b'])).toEqual(['/bin/sh', '-c', 'a || b']);
    expect(command(['CMD', 'webd', '-t'])).toEqual(['webd', '-t']);
    expect(command(['webd'])).toEqual(['webd']);
    expect(command(['NONE'])).toBeUndefined();
  });
});

test('a root with links in a circle has nothing behind them', () => {
  const view = rootView([symlink('/a', '/b'), symlink('/b', 'a')]);
  expect(view.resolve('/a')).toBeUndefined();
  expect(view.lookup('/a')).toMatchObject({ type: 'symlink' });
});

function bundle(changes: Partial<ServiceDefinition>, extra: Parameters<typeof root>[0] = []): Bundle {
  return makeBundle(service(changes), {
    architecture: 'amd64',
    root: root(extra),
    hostPathType: (path) => (path === '/usr/lib/known' ? 'file' : undefined),
  });
}
