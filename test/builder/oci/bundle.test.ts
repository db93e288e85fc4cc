import { describe, expect, test } from 'vitest';
import { makeBundle } from '../../../oci/bundle.ts';
import { DEFAULT_CAPABILITIES } from '../../../oci/capabilities.ts';
import type { OciConfig } from '../../../oci/runtime-spec.ts';
import { compileSeccomp } from '../../../oci/seccomp/compile.ts';
import { DEFAULT_PROFILE, filterName } from '../../../oci/seccomp/default-profile.ts';
import { resolveProfile } from '../../../oci/seccomp/resolve.ts';
import type { ServiceDefinition } from '../../../spec/service.ts';
import { ociSchema } from './oci-schema.ts';
import { root, service } from './service.ts';

/** compose key -> the service it becomes -> what must be in config.json. */
const CASES: readonly [string, Partial<ServiceDefinition>, unknown][] = [
  ['command', {}, { process: { args: ['/usr/bin/webd', '--port', '80'], terminal: false, cwd: '/' } }],
  ['entrypoint', { entrypoint: ['webd'] }, { process: { args: ['webd', '/usr/bin/webd', '--port', '80'] } }],
  ['working_dir', { workingDir: '/var' }, { process: { cwd: '/var' } }],
  ['user by name', { user: 'www' }, { process: { user: { uid: 33, gid: 34, additionalGids: [4, 20, 34] } } }],
  ['user:group', { user: '33:tty' }, { process: { user: { uid: 33, gid: 5 } } }],
  ['user by number', { user: '4711' }, { process: { user: { uid: 4711, gid: 0 } } }],
  [
    'group_add',
    { groupAdd: ['dialout', '99'] },
    { process: { user: { uid: 0, gid: 0, additionalGids: [0, 20, 99] } } },
  ],
  ['hostname', { hostname: 'h' }, { hostname: 'h' }],
  ['oom_score_adj', { oomScoreAdj: -500 }, { process: { oomScoreAdj: -500 } }],
  ['mem_limit', { memLimitBytes: 1 << 20 }, { linux: { resources: { memory: { limit: 1 << 20 } } } }],
  ['cpus', { cpus: 1.5 }, { linux: { resources: { cpu: { quota: 150_000, period: 100_000 } } } }],
  ['cpu_shares', { cpuShares: 1024 }, { linux: { resources: { unified: { 'cpu.weight': '100' } } } }],
  ['pids_limit', { pidsLimit: 7 }, { linux: { resources: { pids: { limit: 7 } } } }],
  ['read_only: true', {}, { root: { path: 'rootfs', readonly: true } }],
  [
    'read_only: false',
    { readOnly: false },
    { root: { path: '/run/slipway/overlay/web/rootfs', readonly: false } },
  ],
  [
    'sysctls',
    { sysctls: { 'net.ipv4.ip_forward': '1' } },
    { linux: { sysctl: { 'net.ipv4.ip_forward': '1' } } },
  ],
  [
    'ulimits',
    { ulimits: [{ name: 'nofile', soft: 10, hard: 20 }] },
    { process: { rlimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }] } },
  ],
  [
    'no-new-privileges',
    { securityOpt: { noNewPrivileges: true, seccomp: 'default' } },
    { process: { noNewPrivileges: true } },
  ],
  ['labels', { labels: { 'a.b': 'c' } }, { annotations: { 'a.b': 'c' } }],
  ['init', { init: true }, { process: { args: ['/dev/init', '--', '/usr/bin/webd', '--port', '80'] } }],
  [
    'devices',
    { devices: [{ source: '/dev/net/tun', target: '/dev/tun', permissions: 'rw' }] },
    { linux: { devices: [{ path: '/dev/tun', type: 'c', major: 10, minor: 200 }] } },
  ],
  ['cgroup', {}, { linux: { cgroupsPath: '/slipway/web' } }],
];

describe('each Compose key lands in config.json', () => {
  test.each(CASES)('%s', (_key, changes, expected) => {
    expect(bundle(changes)).toMatchObject(expected as object);
  });
});

describe('the OCI runtime schema accepts', () => {
  const schema = ociSchema();
  test.skipIf(schema === undefined).each(CASES)('%s', (_key, changes) => {
    expect(schema?.(bundle(changes))).toBeNull();
  });
});

function bundle(changes: Partial<ServiceDefinition>): OciConfig {
  return makeBundle(service(changes), { architecture: 'amd64', root: root() }).config;
}

describe('a filter that was compiled before', () => {
  const made = (capabilities: readonly string[]): string =>
    Buffer.from(compileSeccomp(resolveProfile(DEFAULT_PROFILE, 'amd64', capabilities), 'amd64')!).toString(
      'base64',
    );
  // As an image has them: by name.
  const filters = new Map([DEFAULT_CAPABILITIES, []].map((set) => [filterName(set), made(set)]));

  test.each<[string, Partial<ServiceDefinition>, 'found' | 'missing' | 'not asked for']>([
    ['the usual capabilities', {}, 'found'],
    ['none', { capDrop: ['ALL'] }, 'found'],
    ['one that the profile does not know', { capDrop: ['ALL'], capAdd: ['NET_RAW'] }, 'found'],
    ['one that opens more', { capAdd: ['SYS_ADMIN'] }, 'missing'],
    ['another mix', { capDrop: ['ALL'], capAdd: ['SYS_TIME'] }, 'missing'],
    ['unconfined', { securityOpt: { noNewPrivileges: false, seccomp: 'unconfined' } }, 'not asked for'],
    ['privileged', { privileged: true }, 'not asked for'],
  ])('%s: the bundle is the one that compiling gives', (_, changes, expected) => {
    const asked: (string | undefined)[] = [];
    const context = { architecture: 'amd64', root: root() } as const;
    const { config } = makeBundle(service(changes), {
      ...context,
      defaultFilter: (capabilities) => {
        asked.push(filters.get(filterName(capabilities)));
        return asked.at(-1);
      },
    });
    expect(config).toEqual(makeBundle(service(changes), context).config);
    expect(asked.map((filter) => (filter === undefined ? 'missing' : 'found'))).toEqual(
      expected === 'not asked for' ? [] : [expected],
    );
  });
});
