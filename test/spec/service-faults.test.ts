/** Bad services: every fault, with its line and column. Each case is one service under `services:`, so its first key is line 3, column 5. */
import { describe, expect, test } from 'vitest';
import { UNSUPPORTED_SERVICE_KEYS } from '../../spec/compose-keys.ts';
import { image, places, services } from './memory-files.ts';

/** Lines of one service, and its faults. `image: a` stands in line 3 unless the case brings its own root. */
type Case = readonly [title: string, lines: string, ...faults: string[]];

const CASES: readonly Case[] = [
  ['an unknown key', 'mem_limt: 5m', "4:5 'mem_limt' is no key of a service"],
  [
    'keys of Compose',
    'ports: ["80:80"]\ntty: true',
    "4:5 'ports' is not supported by Slipway",
    "5:5 'tty' is not supported by Slipway",
  ],
  ['a misspelt extension', 'x-slipwy: { gate: true }', "4:5 'x-slipwy' is no key of a service"],
  ['a key of the prototype', 'constructor: 1', "4:5 'constructor' is no key of a service"],
  ['yes for true', 'read_only: yes', "4:16 expected true or false, found the text 'yes'"],
  ['a list of numbers as command', 'command: [sleep, 10]', '4:22 expected a text, found the number 10'],
  ['an open quote', `command: sh -c 'x`, '4:14 a quote is left open in the command'],
  ['a variable', 'command: [echo, "${HOME}"]', '4:21 the variable ${HOME} is not replaced'],
  ['a variable in the environment', 'environment: { A: $B }', '4:23 the variable $B is not replaced'],
  ['environment from the workstation', 'environment: [HOME]', '4:19 HOME has no value'],
  ['environment without a value', 'environment:\n  HOME:', '5:7 HOME has no value'],
  ['a variable without a name', 'environment: ["=x"]', "4:19 '' is no name of a variable"],
  ['environment twice', 'environment: [A=1, A=2]', '4:24 A stands here a second time'],
  [
    'environment of lists',
    'environment: { A: [1] }',
    '4:20 expected a text or a number or true or false or nothing, found a list',
  ],
  ['a user that is a number', 'user: 1000', '4:11 expected a text, found the number 1000'],
  ['a capability of none', 'cap_add: [NET_ADMN]', "4:15 'NET_ADMN' is no Linux capability"],
  ['a signal of none', 'stop_signal: SIGTREM', "4:18 'SIGTREM' is no signal"],
  ['a network mode', 'network_mode: bridge', "4:19 expected one of 'host', 'none', found the text 'bridge'"],
  [
    'a restart policy',
    'restart: sometimes',
    "4:14 expected 'no', 'always', 'unless-stopped' or 'on-failure[:N]'",
  ],
  ['a duration', 'stop_grace_period: 10', '4:24 expected a duration such as 30s or 1m30s'],
  [
    'a size',
    'mem_limit: lots',
    "4:16 'lots' is no size: write digits and a unit, such as 64MB or 1GiB (units are powers of 1024)",
  ],
  [
    'a limit',
    'ulimits: { nofil: 1, nofile: many, core: { soft: 1 } }',
    "4:16 'nofil' is no key of 'ulimits'",
    '4:34 expected a whole number, or -1 for no limit',
    "4:40 'hard' is missing",
  ],
  [
    'a soft limit above the hard one',
    'ulimits: { nofile: { soft: 5, hard: 4 } }',
    '4:16 `soft` exceeds `hard`',
  ],
  [
    'a label of crun',
    'labels: { run.oci.hooks.stdout: x }',
    "4:15 labels that begin with run.oci. are the container runtime's own",
  ],
  [
    'a shutdown that is tried again',
    'restart: on-failure\nx-slipway: { type: onshutdown }',
    '4:14 a service that runs at shutdown is not tried again',
  ],
  [
    'a sysctl of the machine',
    'sysctls: { vm.swappiness: 1 }',
    "4:16 vm.swappiness is not a parameter of the container's own namespaces",
  ],
  [
    'a sysctl of the shared network',
    'network_mode: host\nsysctls: { net.ipv4.ip_forward: 1 }',
    '5:16 net.ipv4.ip_forward belongs to the network of the machine, which this service shares',
  ],
  ['an unknown security option', 'security_opt: [apparmor=x]', "4:20 'apparmor=x' is not supported"],
  [
    'a seccomp profile that is not there',
    'security_opt: ["seccomp:./p.json"]',
    '4:5 cannot read /project/p.json: there is no such file',
  ],
  [
    'an anonymous volume',
    'volumes: [/data]',
    "4:15 '/data' names no source: anonymous volumes are not supported",
  ],
  [
    'a volume of the workstation',
    'volumes: ["./data:/data"]',
    "4:15 the source './data' is not an absolute path on the machine",
  ],
  ['a volume that nobody declares', 'volumes: ["data:/data"]', "4:15 the volume 'data' is not declared"],
  ['a volume option', 'volumes: ["/a:/b:z"]', "4:15 'z' is no option of a volume that Slipway supports"],
  ['a relative target', 'volumes: ["/a:b"]', "4:15 '/a:b' is no volume"],
  [
    'a long volume',
    'volumes:\n  - { type: bind, source: /a, target: /b, bind: { selinux: z } }',
    "5:55 'selinux' is no key of 'bind'",
  ],
  [
    'a long volume of another type',
    'volumes:\n  - { type: npipe, source: /a, target: /b }',
    "5:17 expected one of 'bind', 'volume', 'tmpfs', found the text 'npipe'",
  ],
  [
    'a long volume with options of another',
    'volumes:\n  - { type: bind, source: /a, target: /b, tmpfs: { size: 1m } }',
    "5:47 'tmpfs' belongs to `type: tmpfs`",
  ],
  ['a long volume without a source', 'volumes:\n  - { type: bind, target: /b }', "5:9 'source' is missing"],
  ['a tmpfs option', 'tmpfs: ["/run:uid=1"]', "4:13 'uid=1' is no option of a tmpfs that Slipway supports"],
  ['two mounts in one place', 'volumes: ["/a:/b"]\ntmpfs: [/b/]', '5:13 /b is mounted twice'],
  [
    'limits of zero',
    'mem_limit: 0\ncpus: "0.0"\npids_limit: 0\ntmpfs: ["/a:size=0"]\nrestart: on-failure:0',
    '4:16 expected at least 4MB: a container needs as much to start',
    '5:11 expected a number above zero',
    '6:17 expected a number of processes, or -1 for no limit',
    "7:13 'size=0' is no option of a tmpfs that Slipway supports",
    "8:14 expected 'no', 'always', 'unless-stopped' or 'on-failure[:N]'",
  ],
  ['a mount over the root', 'volumes: ["/a:/"]', '4:15 nothing can be mounted over the root file system'],
  [
    'a device',
    'devices: ["/dev/a:/dev/b:rx", "vendor/a=b"]',
    "4:15 '/dev/a:/dev/b:rx' is no device",
    "4:35 'vendor/a=b' is no device",
  ],
  ['a healthcheck without a test', 'healthcheck: { interval: 1s }', "4:5 'test' is missing"],
  [
    'a healthcheck of another form',
    'healthcheck: { test: [curl, x] }',
    '4:20 the first word of a check is CMD, CMD-SHELL or NONE',
  ],
  [
    'a healthcheck without a pause',
    'healthcheck: { test: x, interval: 0s }',
    '4:39 an interval of zero would check without a pause',
  ],
  [
    'a gate that nothing checks',
    'x-slipway: { gate: true }',
    '4:24 nothing checks this gate: the service has no healthcheck',
  ],
  [
    'a gate whose check is off',
    'healthcheck: { test: [NONE] }\nx-slipway: { gate: true }',
    '5:24 nothing checks this gate: the service has no healthcheck',
  ],
  [
    'a gate at shutdown',
    'x-slipway: { type: onshutdown, gate: true }',
    '4:42 a service that runs at shutdown cannot gate an update',
  ],
  [
    'an onboot that restarts for ever',
    'restart: always\nx-slipway: { type: onboot }',
    "4:14 a service of type onboot runs once: 'always' would never let it end",
  ],
  [
    'an onboot with a healthcheck',
    'healthcheck: { test: x }\nx-slipway: { type: onboot }',
    '4:5 a service of type onboot runs once: its exit status tells whether it worked',
  ],
  [
    'an unknown type',
    'x-slipway: { type: oneshot }',
    "4:24 expected one of 'service', 'onboot', 'onshutdown', found the text 'oneshot'",
  ],
  [
    'an image and packages',
    'x-slipway: { packages: [bb] }\ncommand: a',
    "3:5 'image' and 'x-slipway.packages' are alternatives: a service has one of them",
  ],
  [
    'packages in bad words',
    'x-slipway: { packages: [Bad Name, {name: xx, file: [/a]}] }',
    '4:29 a Debian package name has lower-case letters, digits, and + - . after the first',
    "4:50 'file' is no key of 'packages'",
  ],
  [
    'state in a bare number',
    'x-slipway: { state: [{ path: /a, mode: 755 }] }',
    "4:44 a file mode is octal, and the bare number 755 does not say so: write it as a quoted '0755' or as 0o755",
  ],
  [
    'an env_file that is not there',
    'env_file: [a.env]',
    '4:16 cannot read /project/a.env: there is no such file',
  ],
  ['depends_on without a condition', 'depends_on: { b: {} }', "4:19 'condition' is missing"],
  ['depends_on itself', 'depends_on: [a]', '4:18 these services wait for each other: a -> a'],
  ['extends what is not there', 'extends: b', "4:14 there is no service 'b' to extend"],
  [
    'extends a file that is not there',
    'extends: { file: b.yaml, service: b }',
    '4:22 cannot read /project/b.yaml: there is no such file',
  ],
  ['extends itself', 'extends: a', "4:14 the service 'a' extends itself"],
];

describe('one service', () => {
  test.each(CASES)('%s', async (_, lines, ...faults) => {
    const yaml = [
      'services:',
      '  a:',
      '    image: ./a',
      ...lines.split('\n').map((line) => `    ${line}`),
    ].join('\n');
    const { services: loaded, diagnostics } = await services({ 'compose.yaml': yaml });
    expect(
      places(diagnostics).map((place, index) => place.slice(0, Math.max(faults[index]?.length ?? 0, 1))),
    ).toEqual(faults);
    expect(diagnostics).toHaveLength(faults.length);
    expect(loaded).toBeUndefined();
  });

  test.each(Object.keys(UNSUPPORTED_SERVICE_KEYS))('%s says what to do instead', async (key) => {
    const { diagnostics } = await services({
      'compose.yaml': `services:\n  a:\n    image: ./a\n    ${key}: 1\n`,
    });
    expect(diagnostics).toMatchObject([
      { code: 'input.unsupported', line: 4, column: 5, hint: UNSUPPORTED_SERVICE_KEYS[key] },
    ]);
  });

  test('without a root file system', async () => {
    const { diagnostics } = await services({ 'compose.yaml': 'services:\n  a:\n    command: x\n' });
    expect(places(diagnostics)).toEqual(['2:3 the service has no root file system']);
  });

  test('made of packages, without a command', async () => {
    const { diagnostics } = await services({
      'compose.yaml': 'services:\n  a:\n    x-slipway: { packages: [bb] }\n',
    });
    expect(places(diagnostics)).toEqual(["2:3 'command' is missing: Debian packages do not say what to run"]);
  });

  test.each(['busybox', 'library/busybox:1', 'Example.org/A', 'oci:./x'])(
    'image: %s names no registry',
    async (reference) => {
      const { diagnostics } = await services({
        'compose.yaml': `services:\n  a:\n    image: ${reference}\n`,
      });
      expect(places(diagnostics)).toEqual([
        `3:12 '${reference}' is no image reference that names its registry`,
      ]);
    },
  );

  test('that is empty', async () => {
    const { diagnostics } = await services({ 'compose.yaml': 'services:\n  a:\n' });
    expect(places(diagnostics)).toEqual(['2:3 expected a mapping (key: value), found nothing']);
  });
});

test('a file that a mount hides', async () => {
  const { diagnostics } = await services({
    'compose.yaml':
      'services:\n  a:\n    image: ./a\n    tmpfs: [/run, /etc/passwd]\n    x-slipway:\n      state: [/var/lib/a]\n      files: [{ path: /run/x, content: b }, { path: /etc/passwd, content: b }]\n',
    'files/var/lib/a/b': '',
  });
  expect(places(diagnostics)).toEqual([
    '2:3 /var/lib/a/b is never seen: the service mounts something on /var/lib/a',
    '7:23 /run/x is never seen: the service mounts something on /run',
  ]);
});

describe('a service file', () => {
  test('top-level keys, names and files that include themselves', async () => {
    const { diagnostics } = await services({
      'compose.yaml':
        'version: "3"\nnetworks: {}\ninclude: [compose.yaml, ../b.yaml]\nservices:\n  A_b: { image: ./a }\nvolumes:\n  v: { driver: nfs }\n',
    });
    expect(places(diagnostics)).toEqual([
      "1:1 'version' is not supported by Slipway",
      "2:1 'networks' is not supported by Slipway",
      '3:11 this file includes itself: /project/compose.yaml -> /project/compose.yaml',
      '3:25 cannot read /b.yaml: there is no such file',
      '5:3 a service name has lower-case letters, digits, - _ and .',
      "7:8 'driver' is no key of 'v'",
    ]);
  });

  test('faults of an env_file are in the env_file', async () => {
    const { diagnostics } = await services({
      'compose.yaml': 'services:\n  a:\n    image: ./a\n    env_file: x.env\n',
      'x.env': 'A=1\nB=$C\n',
    });
    expect(places(diagnostics)).toEqual([
      'x.env:2:1 the variable $C is not replaced: write $$ or single quotes',
    ]);
  });
});

describe('all services of an image', () => {
  const inImage = (lines: string): Promise<string[]> =>
    image({ 'image.yaml': `name: a\nservices:\n${lines}` }).then(({ diagnostics }) => places(diagnostics));

  test('a circle is named, at the dependency that closes it', async () => {
    expect(
      await inImage(
        '  a: { image: ./a, depends_on: [b] }\n  b: { image: ./b, depends_on: { c: { condition: service_started } } }\n  c: { image: ./c, depends_on: [a] }\n  d: { image: ./c, depends_on: [a] }\n',
      ),
    ).toEqual(['5:33 these services wait for each other: a -> b -> c -> a']);
  });

  test('missing, misspelt, and not required', async () => {
    expect(
      await inImage(
        '  web: { image: ./a, depends_on: [databse, x] }\n  database:\n    image: ./b\n    depends_on: { y: { condition: service_started, required: false } }\n',
      ),
    ).toEqual([
      "3:35 'web' needs a service 'databse', and the image has none",
      "3:44 'web' needs a service 'x', and the image has none",
    ]);
  });

  test('a dependency of a profile that is not active', async () => {
    expect(
      await inImage('  a: { image: ./a, depends_on: [b] }\n  b: { image: ./b, profiles: [lab] }\n'),
    ).toEqual(["3:33 'a' needs 'b', which is only part of the profile lab"]);
  });

  test('a service with faults is not missing as well', async () => {
    expect(await inImage('  a: { image: ./a, depends_on: [b] }\n  b: { image: 5 }\n')).toEqual([
      '4:15 expected a text, found the number 5',
    ]);
  });

  test('conditions that can never be met', async () => {
    expect(
      await inImage(
        [
          '  a:',
          '    image: ./a',
          '    depends_on:',
          '      b: { condition: service_healthy }',
          '      c: { condition: service_completed_successfully }',
          '      d: { condition: service_started }',
          '      e: { condition: service_healthy }',
          '  b: { image: ./b }',
          '  c: { image: ./c, restart: always }',
          '  d: { image: ./d, x-slipway: { type: onshutdown } }',
          '  e: { image: ./e, x-slipway: { type: onboot } }',
        ].join('\n'),
      ),
    ).toEqual([
      "6:23 'b' can never be healthy: it has no healthcheck",
      "7:23 'c' never completes: its restart policy is 'always'",
      "8:7 'd' runs at shutdown only: nothing can wait for it",
      "9:23 'e' can never be healthy: it has no healthcheck",
    ]);
  });
});
