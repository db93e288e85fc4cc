/** Good image definitions: what the builder gets. */
import { describe, expect, test } from 'vitest';
import { IMAGE_EXAMPLE } from '../../spec/reference-prose.ts';
import { image } from './memory-files.ts';

const KEY = `ssh-ed25519 ${'A'.repeat(68)} me@example`;

async function loaded(texts: Readonly<Record<string, string>>, profiles: readonly string[] = []) {
  const { image: definition, diagnostics } = await image(texts, { profiles });
  expect(diagnostics).toEqual([]);
  if (definition === undefined) throw new Error('no image');
  return definition;
}

test('a name alone is an image: everything else has a default', async () => {
  expect(await loaded({ 'image.yaml': 'name: my-host\n' })).toEqual({
    file: '/project/image.yaml',
    name: 'my-host',
    version: '0.1.0',
    architecture: 'amd64',
    distribution: { suite: 'trixie' },
    kernel: {
      package: 'linux-image-cloud-amd64',
      modules: [],
      initrdModules: [],
      commandLine: [],
      firmware: [],
      microcode: false,
    },
    host: { packages: [], files: [], shell: false, gateSoakMs: 10_000 },
    users: [],
    disk: { sectorSize: 512, stateSizeBytes: 64 * 1024 * 1024 },
    inputs: [],
    profiles: [],
    services: [],
    sources: ['/project/image.yaml'],
  });
});

test('every key', async () => {
  const definition = await loaded({
    'image.yaml': `
name: edge
version: 2.0.0~rc.1
architecture: arm64
distribution:
  suite: forky
  mirror: https://mirror.example/debian
  security_mirror: https://mirror.example/security
kernel:
  package: linux-image-arm64
  modules: [wireguard]
  command_line: [console=ttyAMA0, quiet]
host:
  packages: [less, { name: util-linux, files: [/usr/bin/nsenter] }]
  files:
    - { path: /etc/motd, content: "hi $USER\\n" }
    - { path: /usr/bin//x/, source: ./x, mode: 0o755, uid: 3, gid: 4 }
    - { path: /opt, source: tree }
  shell: true
  gate_soak: 1m30s
users:
  - { name: me, uid: 1000, groups: [operators], shell: /bin/bash, ssh_authorized_keys: ["${KEY}"] }
disk: { sector_size: 4096, state_size: 1GiB }
inputs: [./vendor, https://files.example/pool]
x-mine: [anything]
`,
    x: 'x',
    'tree/a.sh': '',
    'tree/b/c': '',
  });
  expect(definition).toMatchObject({
    version: '2.0.0~rc.1',
    distribution: {
      suite: 'forky',
      mirror: 'https://mirror.example/debian',
      securityMirror: 'https://mirror.example/security',
    },
    kernel: {
      package: 'linux-image-arm64',
      modules: ['wireguard'],
      commandLine: ['console=ttyAMA0', 'quiet'],
    },
    host: {
      packages: [{ name: 'less' }, { name: 'util-linux', files: ['/usr/bin/nsenter'] }],
      files: [
        { path: '/etc/motd', mode: 0o644, uid: 0, gid: 0, content: 'hi $USER\n' },
        { path: '/opt/a.sh', mode: 0o755, uid: 0, gid: 0, source: '/project/tree/a.sh' },
        { path: '/opt/b/c', mode: 0o644, uid: 0, gid: 0, source: '/project/tree/b/c' },
        { path: '/usr/bin/x', mode: 0o755, uid: 3, gid: 4, source: '/project/x' },
      ],
      shell: true,
      gateSoakMs: 90_000,
    },
    users: [{ name: 'me', uid: 1000, groups: ['operators'], shell: '/bin/bash', sshAuthorizedKeys: [KEY] }],
    disk: { sectorSize: 4096, stateSizeBytes: 1024 ** 3 },
    inputs: ['/project/vendor', 'https://files.example/pool'],
    sources: ['/project/image.yaml', '/project/x', '/project/tree/a.sh', '/project/tree/b/c'],
  });
});

test('the example of the reference page', async () => {
  const service = (name: string): string => `services: { ${name}: { image: ./a } }\n`;
  const definition = await image(
    {
      'image.yaml': IMAGE_EXAMPLE,
      '../system-containers/network/compose.yaml': service('network'),
      '../system-containers/time/compose.yaml': service('time'),
      '../system-containers/ssh/compose.yaml': service('ssh'),
    },
    {},
  );
  expect(definition.diagnostics).toEqual([]);
  expect(definition.image?.services.map(({ name }) => name)).toEqual(['network', 'time', 'ssh']);
});

describe('one definition over another', () => {
  const BASE = `
name: base
version: 1.0.0
include: [ssh, time]
kernel: { modules: [a], command_line: [quiet] }
host:
  packages: [less, { name: curl, files: [/usr/bin/curl] }]
  files: [{ path: /etc/motd, content: base }]
  shell: true
users: [{ name: me, uid: 1000 }, { name: you, uid: 1001 }]
profiles:
  lab: { kernel: { command_line: [debug] }, host: { gate_soak: 1s } }
`;
  const OTHERS = {
    'base.yaml': BASE,
    'ssh/compose.yaml': 'services: { ssh: { image: ./openssh } }\n',
    'ssh/files/etc/x': 'x',
    'time/compose.yaml': 'services: { time: { image: ./chrony } }\n',
    'dropbear/compose.yaml': 'services: { ssh: { image: ./dropbear } }\n',
  };

  test('a service is exchanged by one line', async () => {
    const { services, name } = await loaded({
      ...OTHERS,
      'image.yaml': 'name: small\nextends: base.yaml\ninclude: [dropbear]\n',
    });
    expect(name).toBe('small');
    expect(services.map((service) => [service.name, service.root])).toEqual([
      ['ssh', { kind: 'image', reference: '/project/dropbear/dropbear' }],
      ['time', { kind: 'image', reference: '/project/time/chrony' }],
    ]);
    expect(services[0]?.files).toEqual([]);
  });

  test('a service is removed, another is written inline over an included one', async () => {
    const { services } = await loaded({
      ...OTHERS,
      'image.yaml':
        'name: a\nextends: base.yaml\nservices:\n  time: null\n  ssh: { extends: { file: ssh/compose.yaml, service: ssh }, init: true }\n',
    });
    expect(services).toMatchObject([
      { name: 'ssh', init: true, root: { reference: '/project/ssh/openssh' }, files: [{ path: '/etc/x' }] },
    ]);
  });

  test('lists append, entries with a name or path replace, anything else replaces', async () => {
    const definition = await loaded({
      ...OTHERS,
      'image.yaml': `
name: a
extends: base.yaml
kernel: { modules: [b, a], command_line: [!!str 1] }
host:
  packages: [curl, vim-tiny]
  files: [{ path: /etc/motd, content: mine }, { path: /etc/issue, content: mine }]
  shell: false
users: [{ name: you, uid: 1002 }]
`,
    });
    expect(definition.version).toBe('1.0.0');
    expect(definition.kernel).toMatchObject({ modules: ['a', 'b'], commandLine: ['quiet', '1'] });
    expect(definition.host.packages).toEqual([{ name: 'less' }, { name: 'curl' }, { name: 'vim-tiny' }]);
    expect(definition.host.files.map(({ path, content }) => [path, content])).toEqual([
      ['/etc/issue', 'mine'],
      ['/etc/motd', 'mine'],
    ]);
    expect(definition.host.shell).toBe(false);
    expect(definition.users.map(({ name, uid }) => [name, uid])).toEqual([
      ['me', 1000],
      ['you', 1002],
    ]);
  });

  test('!override and !reset', async () => {
    const definition = await loaded({
      ...OTHERS,
      'image.yaml':
        'name: a\nextends: base.yaml\nkernel: !override { modules: [c] }\nhost: { packages: !override [vim-tiny], files: !reset [] }\n',
    });
    expect(definition.kernel).toMatchObject({ modules: ['c'], commandLine: [] });
    expect(definition.host).toMatchObject({ packages: [{ name: 'vim-tiny' }], files: [], shell: true });
  });

  test('profiles: those of the base, then those of the image, in the order given', async () => {
    const texts = {
      ...OTHERS,
      'image.yaml': `
name: a
extends: base.yaml
profiles:
  lab: { host: { gate_soak: 2s }, services: { extra: { image: ./x } } }
  ci: { host: { gate_soak: 3s } }
`,
    };
    expect((await loaded(texts)).host.gateSoakMs).toBe(10_000);
    expect((await loaded(texts)).services).toHaveLength(2);
    const lab = await loaded(texts, ['lab']);
    expect(lab).toMatchObject({
      profiles: ['lab'],
      host: { gateSoakMs: 2000 },
      kernel: { commandLine: ['quiet', 'debug'] },
    });
    expect(lab.services.map(({ name }) => name)).toEqual(['ssh', 'time', 'extra']);
    expect((await loaded(texts, ['lab', 'ci'])).host.gateSoakMs).toBe(3000);
    expect((await loaded(texts, ['ci', 'lab'])).host.gateSoakMs).toBe(2000);
  });

  test('`debug` may be asked of every image; services may name profiles', async () => {
    const texts = {
      'image.yaml': 'name: a\nservices:\n  b: { image: ./b }\n  c: { image: ./c, profiles: [debug] }\n',
    };
    expect((await loaded(texts)).services.map(({ name }) => name)).toEqual(['b']);
    expect((await loaded(texts, ['debug'])).services.map(({ name }) => name)).toEqual(['b', 'c']);
  });
});

test('anchors, aliases and merge keys', async () => {
  const definition = await loaded({
    'image.yaml': `
name: a
x-common: &common { shell: /bin/bash, groups: [operators] }
users:
  - { <<: *common, name: me, uid: 1000 }
  - { <<: [*common], name: you, uid: 1001, shell: /bin/sh }
`,
  });
  expect(definition.users).toMatchObject([
    { name: 'me', shell: '/bin/bash', groups: ['operators'] },
    { name: 'you', shell: '/bin/sh', groups: ['operators'] },
  ]);
});
