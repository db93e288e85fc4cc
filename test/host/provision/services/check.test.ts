import { describe, expect, test } from 'vitest';
import { checkServices, type ServicesContext } from '../../../../host/provision/services/check.ts';
import type { MachineService } from '../../../../spec/machine.ts';
import { entries } from './entries.ts';

const SSH: MachineService = {
  name: 'ssh',
  type: 'service',
  gate: true,
  dependsOn: [],
  restart: { policy: 'always' },
  stopSignal: 'SIGTERM',
  stopGraceMs: 10_000,
  directories: [{ path: '/var/lib/slipway/volumes/keys', uid: 0, gid: 0, mode: 0o755 }],
  writable: false,
};
const CONTEXT: ServicesContext = { rights: ['services'], imageServices: [SSH], hasInit: false };
const DIGEST = `sha256:${'a'.repeat(64)}`;
const IMAGE = `image: registry.example/app@${DIGEST}`;

function check(yaml: string, context = CONTEXT): readonly string[] {
  const { diagnostics } = checkServices(entries(yaml), context);
  return diagnostics.map(({ severity, line, message }) => `${severity} ${line}: ${message}`);
}

test('a service with Compose’s keys is taken as in a service file', () => {
  const { services, diagnostics } = checkServices(
    entries(`web:
  ${IMAGE}
  command: httpd -f -p 80
  network_mode: host
  restart: always
  volumes: [/var/www:/www:ro, data:/data]
  depends_on: [ssh]
  x-slipway:
    files: [{ path: /etc/app.conf, content: x, mode: '0600' }]`),
    CONTEXT,
  );
  expect(diagnostics).toEqual([]);
  expect(services).toMatchObject([
    {
      name: 'web',
      image: {
        kind: 'registry',
        host: 'registry.example',
        repository: 'app',
        digest: DIGEST,
        scheme: 'https',
      },
      definition: { command: ['httpd', '-f', '-p', '80'], networkMode: 'host', readOnly: false },
    },
  ]);
  expect(JSON.parse(JSON.stringify(services))).toEqual(services);
});

describe('image', () => {
  const image = (text: string): readonly string[] => check(`web:\n  image: ${text}\n  command: [x]`);
  test.each([
    `registry.example/app@${DIGEST}`,
    `http://192.0.2.1:5000/app@${DIGEST}`,
    'service:ssh',
    '/var/lib/app/image.tar',
  ])('%s', (text) => expect(image(text)).toEqual([]));
  test('by a tag: a warning that names the remedy', () => {
    expect(image('registry.example/app:1')).toEqual(["warning 3: whoever holds app decides what '1' is"]);
  });
  test.each([
    ['http://192.0.2.1/app:1', 'without TLS anybody on the way could send another image'],
    ['app:1', "'app:1' is no image reference that names its registry"],
    ['/usr/share/x.tar', '/usr/share/x.tar: an archive of an image lies below /var'],
    ['/var/lib/slipway/x.tar', '/var/lib/slipway/x.tar: an archive of an image lies below /var'],
    ['/var/../etc/x.tar', '/var/../etc/x.tar: an archive of an image lies below /var'],
    ['./x.tar', './x.tar: an archive of an image lies below /var'],
    ['service:nothing', "the image has no service 'nothing'"],
  ])('%s is refused', (text, message) => expect(image(text)).toEqual([`error 3: ${message}`]));
  test('none', () => expect(check('web:\n  command: [x]')).toEqual(["error 2: 'image' is missing"]));
});

test('the same diagnostics as in a service file', () => {
  expect(check(`web:\n  ${IMAGE}\n  comand: x`)).toEqual(["error 4: 'comand' is no key of a service"]);
  expect(check(`web:\n  ${IMAGE}\n  ports: ["80:80"]`)).toEqual([
    "error 4: 'ports' is not supported by Slipway",
  ]);
  expect(check(`web:\n  ${IMAGE}\n  mem_limit: lots`)[0]).toContain("'lots' is no size");
  expect(
    check(`web:\n  ${IMAGE}\n  x-slipway: { gate: true }`, { ...CONTEXT, rights: ['services', 'update'] })[0],
  ).toContain('nothing checks this gate');
});

describe('what is the machine’s own is refused with its line', () => {
  test.each([
    ['privileged: true', 'never privileged'],
    ['pid: host', 'process table of its own'],
    ['ipc: host', 'shares no memory'],
    ['cap_add: [SYS_ADMIN]', 'SYS_ADMIN is for services of the image alone'],
    ['cap_add: [ALL]', 'never has all capabilities'],
    ['cap_add: [DAC_READ_SEARCH]', 'DAC_READ_SEARCH is for services of the image alone'],
    ['security_opt: ["seccomp:unconfined"]', 'always filtered'],
    ['security_opt: ["seccomp:./p.json"]', 'always filtered'],
    ['devices: [/dev/mem]', '/dev/mem is for services of the image alone'],
    ['devices: [/dev/vda]', '/dev/vda is for services of the image alone'],
    ['oom_score_adj: -500', 'goes before those of the machine'],
    ['volumes: ["/var/lib/slipway:/x"]', "/var/lib/slipway is the machine's own"],
    ['volumes: ["/var:/x"]', "/var is the machine's own"],
    ['volumes: ["/:/x"]', "/ is the machine's own"],
    ['volumes: ["/run/slip:/x"]', "/run/slip is the machine's own"],
    ['volumes: ["/proc:/x:ro"]', "/proc is the machine's own"],
    ['volumes: ["/dev:/x"]', "/dev is the machine's own"],
    ['volumes: ["/etc/ssl:/x"]', '/etc/ssl can only be read'],
    ['volumes: ["/var/x:/x:rshared"]', 'would let its mounts out'],
    ['volumes: ["keys:/x"]', 'belongs to a service of the image'],
    [
      'x-slipway: { gate: true }\n  healthcheck: { test: [CMD, x] }',
      'a gate decides whether an update is kept',
    ],
    ['x-slipway: { packages: [busybox] }', 'the machine installs no packages'],
    ['x-slipway: { files: [{ path: /a, source: ./a }] }', 'no file beside a boot configuration'],
    ['env_file: a.env', 'no file beside a boot configuration'],
    ['init: true', 'no init for containers'],
    ['network_mode: host\n  cap_add: [NET_ADMIN]', "changes the machine's network"],
  ])('%s', (yaml, message) => {
    const found = check(`web:\n  ${IMAGE}\n  ${yaml}`);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(message);
    expect(found[0]).toMatch(/^error [45]:/);
  });
  test('a name of the image’s own', () => {
    expect(check(`ssh:\n  ${IMAGE}`)).toEqual([
      "error 2: the image has a service 'ssh' of its own, which cannot be replaced",
    ]);
  });
});

test.each([
  'cap_add: [NET_ADMIN]',
  'devices: [/dev/net/tun, /dev/ttyUSB0]',
  'volumes: ["/var/lib/slipway/home/me:/x", "/var/log/app:/log", "/usr/share/zoneinfo:/usr/share/zoneinfo:ro"]',
  'security_opt: ["no-new-privileges:true"]',
])('allowed: %s', (yaml) => expect(check(`web:\n  ${IMAGE}\n  ${yaml}`)).toEqual([]));

test('a bind within a directory that another service may write is refused: a link there could lead anywhere', () => {
  const faults = check(
    `a:\n  ${IMAGE}\n  volumes: ["/var/data:/x"]\nb:\n  ${IMAGE}\n  volumes: ["/var/data/b:/x"]`,
  );
  expect(faults).toEqual(["error 7: /var/data/b lies in /var/data, which the service 'a' may write"]);
});

test('a service with a fault takes with it what needs it, and nothing else', () => {
  const { services, diagnostics } = checkServices(
    entries(
      `a:\n  image: nonsense\nb:\n  ${IMAGE}\n  depends_on: [a]\nc:\n  ${IMAGE}\nd:\n  ${IMAGE}\n  depends_on: [e]\ne:\n  ${IMAGE}\n  depends_on: [d]`,
    ),
    CONTEXT,
  );
  expect(services.map(({ name }) => name)).toEqual(['c']);
  expect(diagnostics.map(({ message }) => message)).toEqual([
    "'nonsense' is no image reference that names its registry",
    'these services wait for each other: d -> e -> d',
    "'b' needs 'a', which has a fault of its own",
  ]);
});
