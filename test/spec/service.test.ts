/** Good service files: every key of Compose that we support, short and long form, to what the builder gets. */
import { describe, expect, test } from 'vitest';
import { SERVICE_EXAMPLE } from '../../spec/reference-prose.ts';
import type { ServiceDefinition } from '../../spec/service.ts';
import { services } from './memory-files.ts';

async function loaded(texts: Readonly<Record<string, string>>): Promise<readonly ServiceDefinition[]> {
  const { services: definitions, diagnostics } = await services(texts);
  expect(diagnostics).toEqual([]);
  if (definitions === undefined) throw new Error('no services');
  return definitions;
}

/** One service `a` with these lines under it. */
async function one(lines: string, others: Readonly<Record<string, string>> = {}): Promise<ServiceDefinition> {
  const body = lines.split('\n').map((line) => `    ${line}`);
  const yaml = [
    'volumes: { data: {}, empty: }',
    'services:',
    '  a:',
    '    image: localhost/busybox',
    ...body,
  ].join('\n');
  const [service] = await loaded({ 'compose.yaml': yaml, ...others });
  if (service === undefined) throw new Error('no service');
  return service;
}

test('an image alone: the defaults', async () => {
  expect(await loaded({ 'compose.yaml': 'services: { a: { image: localhost/busybox } }\n' })).toEqual([
    {
      name: 'a',
      file: '/project/compose.yaml',
      root: { kind: 'image', reference: 'localhost/busybox' },
      environment: {},
      groupAdd: [],
      volumes: [],
      devices: [],
      capAdd: [],
      capDrop: [],
      privileged: false,
      securityOpt: { noNewPrivileges: false, seccomp: 'default' },
      readOnly: false,
      networkMode: 'none',
      pid: 'private',
      ipc: 'private',
      sysctls: {},
      ulimits: [],
      restart: { policy: 'no' },
      stopSignal: 'SIGTERM',
      stopGraceMs: 10_000,
      init: false,
      dependsOn: [],
      labels: {},
      profiles: [],
      type: 'service',
      gate: false,
      state: [],
      files: [],
    },
  ]);
});

const CASES: readonly (readonly [title: string, lines: string, expected: object])[] = [
  ['command as a list', 'command: [sleep, "10"]', { command: ['sleep', '10'] }],
  ['command as a text', `command: sh -c 'sleep 10'`, { command: ['sh', '-c', 'sleep 10'] }],
  [
    'command with a dollar',
    'command: ["echo", "$$HOME", "a$$$$b", "5$"]',
    { command: ['echo', '$HOME', 'a$$b', '5$'] },
  ],
  ['entrypoint', 'entrypoint: /bin/x -y', { entrypoint: ['/bin/x', '-y'] }],
  ['an entrypoint that is taken away', 'entrypoint: []', { entrypoint: [] }],
  [
    'environment as a map',
    'environment: { A: x, B: 1.10, C: true, D: "" }',
    { environment: { A: 'x', B: '1.10', C: 'true', D: '' } },
  ],
  ['environment as a list', 'environment: ["A=x=y", "B="]', { environment: { A: 'x=y', B: '' } }],
  [
    'working_dir, user, group_add, hostname',
    'working_dir: /srv\nuser: "1000:100"\ngroup_add: [audio, 5]\nhostname: web.example',
    { workingDir: '/srv', user: '1000:100', groupAdd: ['audio', '5'], hostname: 'web.example' },
  ],
  [
    'devices',
    'devices: [/dev/a, "/dev/a:/dev/b", "/dev/a:/dev/b:r", { source: /dev/c, permissions: rw }]',
    {
      devices: [
        { source: '/dev/a', target: '/dev/a', permissions: 'rwm' },
        { source: '/dev/a', target: '/dev/b', permissions: 'rwm' },
        { source: '/dev/a', target: '/dev/b', permissions: 'r' },
        { source: '/dev/c', target: '/dev/c', permissions: 'rw' },
      ],
    },
  ],
  [
    'capabilities',
    'cap_add: [CAP_NET_ADMIN, sys_time, BPF]\ncap_drop: [ALL]',
    { capAdd: ['NET_ADMIN', 'SYS_TIME', 'BPF'], capDrop: ['ALL'] },
  ],
  [
    'privileged, read_only, init',
    'privileged: true\nread_only: true\ninit: true',
    { privileged: true, readOnly: true, init: true },
  ],
  [
    'namespaces',
    'network_mode: host\npid: host\nipc: host',
    { networkMode: 'host', pid: 'host', ipc: 'host' },
  ],
  ['sysctls', 'sysctls: [net.core.somaxconn=1024]', { sysctls: { 'net.core.somaxconn': '1024' } }],
  ['sysctls as a map', 'sysctls: { kernel.shmmax: 1024 }', { sysctls: { 'kernel.shmmax': '1024' } }],
  [
    'ulimits',
    'ulimits: { nproc: 65535, core: -1, nofile: { soft: "20000", hard: 40000 } }',
    {
      ulimits: [
        { name: 'nproc', soft: 65535, hard: 65535 },
        { name: 'core', soft: -1, hard: -1 },
        { name: 'nofile', soft: 20000, hard: 40000 },
      ],
    },
  ],
  [
    'limits',
    'mem_limit: 64m\ncpus: "0.5"\ncpu_shares: 512\npids_limit: 32\noom_score_adj: -500',
    { memLimitBytes: 67_108_864, cpus: 0.5, cpuShares: 512, pidsLimit: 32, oomScoreAdj: -500 },
  ],
  ['restart', 'restart: on-failure:3', { restart: { policy: 'on-failure', maxRetries: 3 } }],
  ['restart: no is a word in YAML 1.2', 'restart: no', { restart: { policy: 'no' } }],
  [
    'stopping',
    'stop_signal: SIGRTMIN+3\nstop_grace_period: 1m30s',
    { stopSignal: 'SIGRTMIN+3', stopGraceMs: 90_000 },
  ],
  ['a signal by number', 'stop_signal: "2"', { stopSignal: 'SIGINT' }],
  ['labels', 'labels: [a=b, c]', { labels: { a: 'b', c: '' } }],
  [
    'security',
    'security_opt: ["no-new-privileges:true", "seccomp=unconfined"]',
    { securityOpt: { noNewPrivileges: true, seccomp: 'unconfined' } },
  ],
  [
    'depends_on as a list',
    'depends_on: [b]',
    { dependsOn: [{ service: 'b', condition: 'service_started', required: true, restart: false }] },
  ],
  [
    'depends_on as a map',
    'depends_on: { b: { condition: service_healthy, required: false, restart: true } }',
    { dependsOn: [{ service: 'b', condition: 'service_healthy', required: false, restart: true }] },
  ],
  [
    'healthcheck, all fields',
    'healthcheck:\n  test: [CMD, a, b]\n  interval: 1m30s\n  timeout: 500ms\n  retries: 5\n  start_period: 10s\n  start_interval: 1s',
    {
      healthCheck: {
        command: ['a', 'b'],
        intervalMs: 90_000,
        timeoutMs: 500,
        retries: 5,
        startPeriodMs: 10_000,
        startIntervalMs: 1000,
      },
    },
  ],
  [
    'healthcheck as a shell line',
    'healthcheck: { test: "a || exit 1" }',
    {
      healthCheck: {
        command: ['/bin/sh', '-c', 'a || exit 1'],
        intervalMs: 30_000,
        timeoutMs: 30_000,
        retries: 3,
        startPeriodMs: 0,
        startIntervalMs: 5000,
      },
    },
  ],
  [
    'healthcheck CMD-SHELL',
    'healthcheck: { test: [CMD-SHELL, "echo $$A"] }',
    { healthCheck: { command: ['/bin/sh', '-c', 'echo $A'] } },
  ],
  [
    'state',
    'x-slipway: { state: [/var/lib/a, { path: /b/, uid: 5, gid: 6, mode: "0700" }] }',
    {
      state: [
        { path: '/var/lib/a', uid: 0, gid: 0, mode: 0o755 },
        { path: '/b', uid: 5, gid: 6, mode: 0o700 },
      ],
    },
  ],
  ['an onboot that gates', 'x-slipway: { type: onboot, gate: true }', { type: 'onboot', gate: true }],
  [
    'extensions of others',
    'x-other: { a: $HOME }\nhealthcheck: { test: [CMD, a], x-why: because }',
    { healthCheck: { command: ['a'] } },
  ],
];

describe('keys', () => {
  test.each(CASES)('%s', async (_, lines, expected) => {
    expect(await one(lines)).toMatchObject(expected);
  });

  test.each(['healthcheck: { test: [NONE] }', 'healthcheck: { disable: true }'])(
    '%s is no check',
    async (line) => {
      expect(await one(line)).not.toHaveProperty('healthCheck');
    },
  );

  test('pids_limit: -1 is no limit', async () => {
    expect(await one('pids_limit: -1')).not.toHaveProperty('pidsLimit');
  });

  test('volumes, short and long, and tmpfs', async () => {
    const { volumes } = await one(`volumes:
  - /a:/b
  - /a:/c:ro,rslave
  - data:/d
  - { type: bind, source: /a, target: /e, read_only: true, bind: { create_host_path: false, propagation: shared } }
  - { type: volume, source: empty, target: /f }
  - { type: tmpfs, target: /g, tmpfs: { size: 1m, mode: 0o1777 } }
tmpfs: [/run, "/tmp:size=64m,mode=1777"]`);
    const bind = {
      kind: 'bind',
      source: '/a',
      readOnly: false,
      propagation: 'rprivate',
      createHostPath: true,
    };
    expect(volumes).toEqual([
      { ...bind, target: '/b' },
      { ...bind, target: '/c', readOnly: true, propagation: 'rslave' },
      { kind: 'volume', name: 'data', target: '/d', readOnly: false },
      { ...bind, target: '/e', readOnly: true, propagation: 'shared', createHostPath: false },
      { kind: 'volume', name: 'empty', target: '/f', readOnly: false },
      { kind: 'tmpfs', target: '/g', sizeBytes: 1024 ** 2, mode: 0o1777 },
      { kind: 'tmpfs', target: '/run' },
      { kind: 'tmpfs', target: '/tmp', sizeBytes: 64 * 1024 ** 2, mode: 0o1777 },
    ]);
  });

  test('one tmpfs as a text', async () => {
    expect((await one('tmpfs: /run')).volumes).toEqual([{ kind: 'tmpfs', target: '/run' }]);
  });

  test('env_file in the order given, under environment', async () => {
    const { environment } = await one(
      'env_file: [a.env, { path: no.env, required: false }, { path: raw.env, format: raw }]\nenvironment: { C: own }',
      { 'a.env': 'A=1\nB=1\nC=1\n', 'raw.env': 'B="$X"\n' },
    );
    expect(environment).toEqual({ A: '1', B: '"$X"', C: 'own' });
  });

  test('a seccomp profile and an image beside the file', async () => {
    const texts = {
      'compose.yaml': 'services: { a: { image: ./oci, security_opt: ["seccomp:./p.json"] } }\n',
      'p.json': '{}',
    };
    expect(await loaded(texts)).toMatchObject([
      { root: { kind: 'image', reference: '/project/oci' }, securityOpt: { seccomp: '/project/p.json' } },
    ]);
  });
});

describe('files', () => {
  test('a folder files/ beside a file with one service; what the YAML says wins', async () => {
    const [service] = await loaded({
      'compose.yaml':
        'services:\n  a:\n    command: x\n    x-slipway:\n      packages: [bash]\n      files: [{ path: /etc/b, content: "mine", mode: "0600" }]\n',
      'files/etc/a.sh': '',
      'files/etc/b': 'folder',
    });
    expect(service?.files).toEqual([
      { path: '/etc/a.sh', mode: 0o755, uid: 0, gid: 0, source: '/project/files/etc/a.sh' },
      { path: '/etc/b', mode: 0o600, uid: 0, gid: 0, content: 'mine' },
    ]);
  });

  test('with two services nobody gets it', async () => {
    const definitions = await loaded({
      'compose.yaml': 'services: { a: { image: ./x }, b: { image: ./x } }\n',
      'files/a': '',
    });
    expect(definitions.map(({ files }) => files)).toEqual([[], []]);
  });

  test('extends brings the folder of the other file along', async () => {
    const [service] = await loaded({
      'compose.yaml': 'services: { b: { extends: { file: base/compose.yaml, service: a } } }\n',
      'files/own': '',
      'base/compose.yaml': 'services: { a: { image: ./x } }\n',
      'base/files/theirs': '',
    });
    expect(service?.files.map(({ source }) => source)).toEqual([
      '/project/files/own',
      '/project/base/files/theirs',
    ]);
  });
});

describe('extends and include', () => {
  test('extends merges as Compose does', async () => {
    const definitions = await loaded({
      'compose.yaml': `
services:
  base:
    image: ./x
    command: [a, b]
    environment: { A: 1, B: 1 }
    cap_drop: [ALL]
    volumes: ["/a:/a", "/b:/b"]
    healthcheck: { test: [CMD, a], interval: 1s }
    depends_on: [x]
    x-slipway: { state: [/s], packages: !reset [] }
  own:
    extends: base
    command: [c]
    environment: [B=2, C=3]
    cap_drop: [MKNOD]
    volumes: ["/c:/b:ro"]
    healthcheck: { test: [CMD, b] }
    depends_on: { y: { condition: service_healthy } }
    x-slipway: { state: [{ path: /s, uid: 5 }, /t] }
`,
    });
    expect(definitions[1]).toMatchObject({
      name: 'own',
      command: ['c'],
      environment: { A: '1', B: '2', C: '3' },
      capDrop: ['ALL', 'MKNOD'],
      volumes: [
        { source: '/a', target: '/a' },
        { source: '/c', target: '/b', readOnly: true },
      ],
      healthCheck: { command: ['b'], intervalMs: 1000 },
      dependsOn: [{ service: 'x' }, { service: 'y', condition: 'service_healthy' }],
      state: [{ path: '/s', uid: 5 }, { path: '/t' }],
    });
  });

  test('!reset and !override', async () => {
    const definitions = await loaded({
      'compose.yaml':
        'services:\n  a: { image: ./x, cap_drop: [ALL], environment: { A: 1 }, tmpfs: /run }\n  b: { extends: a, cap_drop: !override [MKNOD], environment: !reset {}, tmpfs: !reset null }\n',
    });
    expect(definitions[1]).toMatchObject({ capDrop: ['MKNOD'], environment: {}, volumes: [] });
  });

  test('paths belong to the file that says them', async () => {
    const definitions = await loaded({
      'compose.yaml':
        'include: [sub/c.yaml]\nservices: { b: { extends: { file: sub/c.yaml, service: a }, env_file: x.env } }\n',
      'x.env': 'X=outer\n',
      'sub/c.yaml': 'services: { a: { image: ./oci, env_file: x.env } }\n',
      'sub/x.env': 'X=inner\nY=inner\n',
    });
    expect(definitions).toMatchObject([
      { name: 'a', root: { reference: '/project/sub/oci' }, environment: { X: 'inner', Y: 'inner' } },
      { name: 'b', root: { reference: '/project/sub/oci' }, environment: { X: 'outer' } },
    ]);
  });

  test('include of several paths lays them over each other', async () => {
    const definitions = await loaded({
      'compose.yaml': 'include: [{ path: [a.yaml, b.yaml] }]\n',
      'a.yaml': 'services: { a: { image: ./x, command: [a] } }\n',
      'b.yaml': 'services: { a: { command: [b] } }\n',
    });
    expect(definitions).toMatchObject([{ root: { reference: '/project/x' }, command: ['b'] }]);
  });

  test('the same file on two ways is one', async () => {
    const definitions = await loaded({
      'compose.yaml': 'include: [a.yaml, b.yaml]\n',
      'a.yaml': 'include: [c.yaml]\n',
      'b.yaml': 'include: [c.yaml]\n',
      'c.yaml': 'services: { c: { image: ./x } }\n',
    });
    expect(definitions.map(({ name }) => name)).toEqual(['c']);
  });
});

test('the example of the reference page', async () => {
  const [service] = await loaded({ 'compose.yaml': SERVICE_EXAMPLE });
  expect(service).toMatchObject({
    name: 'web',
    gate: true,
    capAdd: ['NET_BIND_SERVICE', 'SETUID', 'SETGID'],
  });
});
