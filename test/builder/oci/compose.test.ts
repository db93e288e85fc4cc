import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { makeBundle, type Bundle } from '../../../oci/bundle.ts';
import type { RootView } from '../../../oci/root-view.ts';
import { parseSeccompProfile } from '../../../oci/seccomp/profile.ts';
import { diskFiles } from '../../../spec/input-files.ts';
import { loadImage, loadServiceFile } from '../../../spec/load.ts';
import { ociSchema } from './oci-schema.ts';
import { file, root } from './service.ts';

const PROFILE = JSON.stringify({ defaultAction: 'SCMP_ACT_LOG', syscalls: [] });
const FILES: Readonly<Record<string, string>> = {
  '/s/app.env': 'FROM_FILE=yes\nLEVEL=file\n',
  '/s/p.json': PROFILE,
};
const schema = ociSchema();

const process = (fields: object): object => ({ config: { process: fields } });
const linux = (fields: object): object => ({ config: { linux: fields } });
const mount = (fields: object): object => ({
  config: { mounts: expect.arrayContaining([expect.objectContaining(fields)]) as unknown },
});
const env = (...variables: string[]): object =>
  process({ env: expect.arrayContaining(variables) as unknown });

/** What a user writes under the service -> what the machine gets. One for each key of the Compose Specification that is supported. */
const CASES: readonly [key: string, yaml: string, expected: object][] = [
  ['command', 'command: webd --port "8 0"', process({ args: ['webd', '--port', '8 0'] })],
  [
    'entrypoint',
    'entrypoint: [/bin/sh, -c]\ncommand: [exit 0]',
    process({ args: ['/bin/sh', '-c', 'exit 0'] }),
  ],
  ['environment', 'environment: { LEVEL: info }', env('LEVEL=info')],
  ['env_file', 'env_file: app.env\nenvironment: [LEVEL=mine]', env('FROM_FILE=yes', 'LEVEL=mine')],
  ['working_dir', 'working_dir: /srv', process({ cwd: '/srv' })],
  ['user', 'user: www', process({ user: { uid: 33, gid: 34 } })],
  ['group_add', 'group_add: [dialout, 99]', process({ user: { additionalGids: [0, 20, 99] } })],
  ['hostname', 'hostname: box', { config: { hostname: 'box' } }],
  [
    'volumes, short bind',
    'volumes: [/srv/a:/a:ro]',
    mount({ destination: '/a', source: '/srv/a', options: ['rbind', 'rprivate', 'rro'] }),
  ],
  [
    'volumes, named',
    'volumes: [data:/a]',
    mount({ destination: '/a', source: '/var/lib/slipway/volumes/data' }),
  ],
  [
    'volumes, long tmpfs',
    'volumes: [{ type: tmpfs, target: /a, tmpfs: { size: 1m, mode: 0o700 } }]',
    mount({
      destination: '/a',
      type: 'tmpfs',
      options: ['nosuid', 'nodev', 'noexec', 'mode=0700', 'size=1048576'],
    }),
  ],
  [
    'volumes, long bind',
    'volumes: [{ type: bind, source: /srv/a, target: /a, bind: { propagation: rslave, create_host_path: false } }]',
    mount({ destination: '/a', options: ['rbind', 'rslave', 'rw'] }),
  ],
  ['tmpfs', 'tmpfs: /run', mount({ destination: '/run', type: 'tmpfs' })],
  [
    'devices',
    'devices: ["/dev/net/tun:/dev/tun:rw"]',
    linux({ devices: [{ path: '/dev/tun', type: 'c', major: 10, minor: 200 }] }),
  ],
  [
    'cap_add, cap_drop',
    'cap_drop: [ALL]\ncap_add: [SYS_TIME]',
    process({ capabilities: { bounding: ['CAP_SYS_TIME'] } }),
  ],
  [
    'privileged',
    'privileged: true',
    process({ capabilities: { bounding: expect.arrayContaining(['CAP_SYS_ADMIN']) as unknown } }),
  ],
  [
    'security_opt: no-new-privileges',
    'security_opt: [no-new-privileges:true]',
    process({ noNewPrivileges: true }),
  ],
  [
    'security_opt: seccomp profile',
    'security_opt: [seccomp:./p.json]',
    {
      config: {
        annotations: { 'run.oci.seccomp_bpf_data': expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) as unknown },
      },
    },
  ],
  [
    'security_opt: unconfined',
    'security_opt: [seccomp:unconfined]',
    { config: expect.not.objectContaining({ annotations: expect.anything() as unknown }) as unknown },
  ],
  [
    'read_only',
    'read_only: true',
    { config: { root: { path: 'rootfs', readonly: true } }, machine: { writable: false } },
  ],
  ['read_only by default', '', { config: { root: { readonly: false } }, machine: { writable: true } }],
  [
    'network_mode: host',
    'network_mode: host',
    { config: { linux: { namespaces: ['mount', 'cgroup', 'pid', 'ipc'].map((type) => ({ type })) } } },
  ],
  [
    'network_mode: none',
    'network_mode: none',
    linux({ namespaces: expect.arrayContaining([{ type: 'network' }]) as unknown }),
  ],
  ['pid', 'pid: host', linux({ namespaces: expect.not.arrayContaining([{ type: 'pid' }]) as unknown })],
  ['ipc', 'ipc: host', linux({ namespaces: expect.not.arrayContaining([{ type: 'ipc' }]) as unknown })],
  ['sysctls', 'sysctls: { net.core.somaxconn: 1024 }', linux({ sysctl: { 'net.core.somaxconn': '1024' } })],
  [
    'ulimits',
    'ulimits: { nproc: 5, nofile: { soft: 10, hard: 20 } }',
    process({
      rlimits: [
        { type: 'RLIMIT_NOFILE', soft: 10, hard: 20 },
        { type: 'RLIMIT_NPROC', soft: 5, hard: 5 },
      ],
    }),
  ],
  ['mem_limit', 'mem_limit: 32m', linux({ resources: { memory: { limit: 33_554_432 } } })],
  ['cpus', 'cpus: 0.5', linux({ resources: { cpu: { quota: 50_000, period: 100_000 } } })],
  ['cpu_shares', 'cpu_shares: 512', linux({ resources: { unified: { 'cpu.weight': '59' } } })],
  ['pids_limit', 'pids_limit: 9', linux({ resources: { pids: { limit: 9 } } })],
  ['oom_score_adj', 'oom_score_adj: -900', process({ oomScoreAdj: -900 })],
  ['restart', 'restart: on-failure:3', { machine: { restart: { policy: 'on-failure', maxRetries: 3 } } }],
  [
    'stop_signal, stop_grace_period',
    'stop_signal: SIGQUIT\nstop_grace_period: 1m',
    { machine: { stopSignal: 'SIGQUIT', stopGraceMs: 60_000 } },
  ],
  ['init', 'init: true', process({ args: ['/dev/init', '--', '/usr/bin/webd'] })],
  [
    'depends_on',
    'depends_on: { db: { condition: service_healthy } }',
    {
      machine: {
        dependsOn: [{ service: 'db', condition: 'service_healthy', required: true, restart: false }],
      },
    },
  ],
  [
    'healthcheck, CMD',
    'healthcheck: { test: [CMD, webd, -t], interval: 5s, timeout: 1s, retries: 4, start_period: 2s, start_interval: 500ms }',
    {
      machine: {
        healthCheck: {
          command: ['webd', '-t'],
          intervalMs: 5000,
          timeoutMs: 1000,
          retries: 4,
          startPeriodMs: 2000,
          startIntervalMs: 500,
        },
      },
    },
  ],
  [
    'healthcheck, CMD-SHELL',
    'healthcheck: { test: webd -t || exit 1 }',
    { machine: { healthCheck: { command: ['/bin/sh', '-c', 'webd -t || exit 1'] } } },
  ],
  ['labels', 'labels: { com.example.role: web }', { config: { annotations: { 'com.example.role': 'web' } } }],
  [
    'x-slipway.state',
    'x-slipway: { packages: [webd], state: [{ path: /var/lib/web, mode: "0700", uid: 33, gid: 34 }] }',
    {
      ...mount({ destination: '/var/lib/web', source: '/var/lib/slipway/state/web/var/lib/web' }),
      machine: {
        directories: expect.arrayContaining([
          { path: '/var/lib/slipway/state/web/var/lib/web', uid: 33, gid: 34, mode: 0o700 },
        ]) as unknown,
      },
    },
  ],
  [
    'x-slipway.type, gate',
    'x-slipway: { packages: [webd], type: onboot, gate: true }',
    { machine: { type: 'onboot', gate: true } },
  ],
];

describe('what is written in a service file reaches the bundle, and the OCI runtime schema accepts it', () => {
  test.each(CASES)('%s', async (_key, yaml, expected) => {
    const bundle = await composeBundle(yaml);
    expect(bundle).toMatchObject(expected);
    if (schema !== undefined) expect(schema(bundle.config)).toBeNull();
  });
});

describe.skipIf(schema === undefined)(
  'the OCI runtime schema accepts every service of our own images',
  () => {
    const folder = fileURLToPath(new URL('../../../images', import.meta.url));
    const images = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
    test.each(images)('%s', async (name) => {
      const { image, diagnostics } = await loadImage(`${folder}/${name}`);
      expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
      for (const architecture of ['amd64', 'arm64'] as const) {
        for (const service of image?.services ?? []) {
          const { config } = makeBundle(service, { architecture, root: everything() });
          expect(schema?.(config), service.name).toBeNull();
          // Our own containers: nothing but what they name, and a read-only root.
          expect(config.root.readonly, service.name).toBe(true);
          expect(service.capDrop, service.name).toEqual(['ALL']);
        }
      }
    });
  },
);

async function composeBundle(yaml: string): Promise<Bundle> {
  const has = (key: string): boolean => new RegExp(`^${key}:`, 'm').test(yaml);
  const defaults = [
    ...(has('command') || has('entrypoint') ? [] : ['command: [/usr/bin/webd]']),
    ...(has('x-slipway') ? [] : ['x-slipway: { packages: [webd] }']),
  ];
  const indented = [...defaults, ...yaml.split('\n').filter((line) => line !== '')].map(
    (line) => `    ${line}`,
  );
  const text = ['services:', '  web:', ...indented, 'volumes: { data: {} }'].join('\n');
  const { services, diagnostics } = await loadServiceFile('/s/compose.yaml', {
    ...diskFiles,
    readFile: (path) => {
      const found = path === '/s/compose.yaml' ? text : FILES[path];
      if (found === undefined) throw Object.assign(new Error(path), { code: 'ENOENT' });
      return Promise.resolve(found);
    },
    kindOf: () => Promise.resolve('none'),
  });
  expect(diagnostics.filter(({ severity }) => severity === 'error')).toEqual([]);
  const [service] = services ?? [];
  if (service === undefined) throw new Error('no service');
  return makeBundle(service, {
    architecture: 'amd64',
    root: root(),
    seccompProfile: parseSeccompProfile(PROFILE, 'p.json'),
  });
}

/** A root that has every program. */
function everything(): RootView {
  const entry = (path: string): ReturnType<RootView['resolve']> => file(path, '', 0o755);
  return { resolve: entry, text: () => '' };
}
