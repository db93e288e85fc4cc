/** Bad image definitions: every fault, with its line and column. */
import { describe, expect, test } from 'vitest';
import { image, places } from './memory-files.ts';

const GOOD_SERVICE = 'services:\n  ssh:\n    image: ./ssh\n';

interface Case {
  readonly title: string;
  readonly yaml: string | Uint8Array;
  readonly others?: Readonly<Record<string, string>>;
  readonly profiles?: readonly string[];
  readonly faults: readonly string[];
}

const YAML_CASES: readonly Case[] = [
  { title: 'empty file', yaml: '', faults: ['1:1 the file is empty'] },
  { title: 'comments only', yaml: '# nothing\n', faults: ['1:1 the file is empty'] },
  { title: 'only a byte order mark', yaml: '\uFEFF', faults: ['1:1 the file is empty'] },
  {
    title: 'a list',
    yaml: '- a\n',
    faults: ['1:1 expected a mapping (key: value), found a list'],
  },
  {
    title: 'a word',
    yaml: 'hello\n',
    faults: ["1:1 expected a mapping (key: value), found the text 'hello'"],
  },
  {
    title: 'a tab',
    yaml: 'name: a\nkernel:\n\tmodules: [b]\n',
    faults: ['3:1 YAML allows no tab as indentation'],
  },
  {
    title: 'a key twice',
    yaml: 'name: a\nversion: 1.0.0\nname: b\n',
    faults: ["3:1 the key 'name' stands here a second time"],
  },
  {
    title: 'a key twice, deep, quoted the second time',
    yaml: 'name: a\nkernel:\n  modules: [b]\n  "modules": [c]\n',
    faults: ["4:3 the key 'modules' stands here a second time"],
  },
  {
    title: 'a second document',
    yaml: 'name: a\n---\nname: b\n',
    faults: ['2:1 a second YAML document begins here'],
  },
  {
    title: 'an open bracket',
    yaml: 'name: a\nkernel: { modules: [b\n',
    faults: [
      '3:1 Flow sequence in block collection must be sufficiently indented and end with a ]',
      '3:1 Flow map in block collection must be sufficiently indented and end with a }',
    ],
  },
  { title: 'an alias to nothing', yaml: 'name: *a\n', faults: ['1:7 no anchor &a comes before this alias'] },
  { title: 'an unknown tag', yaml: 'name: !env HOST\n', faults: ['1:7 Unresolved tag: !env'] },
  {
    title: 'a list as key',
    yaml: '? [a]\n: b\nname: c\n',
    faults: ['1:3 a key is one word or a quoted text'],
  },
  {
    title: 'a NUL character',
    yaml: 'name: "a\\0b"\n',
    faults: ['1:7 a text with a NUL character: no file name, argument or variable can hold one'],
  },
  {
    title: 'not UTF-8',
    yaml: new Uint8Array([0x6e, 0x3a, 0x20, 0xff, 0xfe]),
    faults: ['1:1 the file is not UTF-8 text'],
  },
  {
    title: 'too large',
    yaml: `# ${'x'.repeat(300_000)}\nname: a\n`,
    faults: ['1:1 the file is larger than 256 KiB'],
  },
  {
    title: 'ten thousand brackets',
    yaml: `name: ${'['.repeat(10_000)}\n`,
    faults: ['1:1 the file is nested too deeply'],
  },
  {
    title: 'brackets that are closed',
    yaml: `name: ${'['.repeat(5000)}${']'.repeat(5000)}\n`,
    faults: ['1:1 the file is nested too deeply'],
  },
  {
    title: 'a billion laughs',
    yaml: [
      'x-a: &a [l, l, l, l, l, l, l, l, l, l]',
      ...'bcdefghi'
        .split('')
        .map((letter, index) => `x-${letter}: &${letter} [${`*${'abcdefghi'[index]},`.repeat(10)}]`),
      'name: *i',
    ].join('\n'),
    faults: ['1:1 the file holds too many values once its aliases are written out'],
  },
  {
    title: 'an anchor that holds itself',
    yaml: 'x-a: &a [*a]\nname: b\n',
    faults: ['1:10 the anchor &a holds itself'],
  },
];

const SHAPE_CASES: readonly Case[] = [
  { title: 'no name', yaml: 'version: 1.0.0\n', faults: ["1:1 'name' is missing"] },
  {
    title: 'a version that is a number',
    yaml: 'name: a\nversion: 1.10\n',
    faults: ['2:10 expected a text, found the number 1.10'],
  },
  {
    title: 'a version that the boot loader would sort wrongly',
    yaml: 'name: a\nversion: 1.0.0-rc1\n',
    faults: [
      "2:10 expected digits with dots, and '~' before what comes earlier than the release: 1.4.2, 2.0.0~rc.1",
    ],
  },
  {
    title: 'unknown keys at every level',
    yaml: 'name: a\nkernal: {}\nkernel:\n  modul: [a]\nusers:\n  - name: b\n    uid: 1000\n    password: c\nx-mine: 1\n',
    faults: [
      "2:1 'kernal' is no key of an image definition",
      "4:3 'modul' is no key of 'kernel'",
      "8:5 'password' is no key of 'users'",
    ],
  },
  {
    title: 'x-slipway in the wrong place',
    yaml: 'name: a\nx-slipway: { gate: true }\n',
    faults: ["2:1 'x-slipway' belongs under a service"],
  },
  {
    title: 'an architecture in other words',
    yaml: 'name: a\narchitecture: x86_64\n',
    faults: ["2:15 expected one of 'amd64', 'arm64', found the text 'x86_64'"],
  },
  {
    title: 'nothing after a key',
    yaml: 'name: a\nversion:\n',
    faults: ['2:1 expected a text, found nothing'],
  },
  {
    title: 'a text for a list',
    yaml: 'name: a\ninclude: ssh\n',
    faults: ["2:10 expected a list, found the text 'ssh'"],
  },
  {
    title: 'a kernel argument with a space',
    yaml: 'name: a\nkernel:\n  command_line: ["a b"]\n',
    faults: ['3:18 expected one argument without spaces and quotes; write one list entry for each'],
  },
  {
    title: 'kernel arguments that undo the signed baseline',
    yaml: 'name: a\nkernel:\n  command_line: [quiet, init=/bin/sh, --, module.sig_enforce=0]\n',
    faults: [
      "3:25 'init' is set by Slipway, and signed",
      "3:39 '--' is set by Slipway, and signed",
      "3:43 'module.sig_enforce' is set by Slipway, and signed",
    ],
  },
  {
    title: 'a file of the host that a mount would hide',
    yaml: 'name: a\nhost:\n  files:\n    - { path: /var/lib/x, content: b }\n',
    faults: ['4:15 the machine mounts something over /var, so /var/lib/x would not be seen'],
  },
  {
    title: 'users: system numbers, bad keys, twice the same',
    yaml: 'name: a\nusers:\n  - { name: b, uid: 0 }\n  - { name: c, uid: 1000, ssh_authorized_keys: [ssh-rsa AAAA] }\n',
    faults: [
      '3:21 expected at least 1000, found the number 0',
      '4:49 this is no OpenSSH public key: a type, then the key in base64, then a comment',
    ],
  },
  {
    title: 'a user of the system',
    yaml: 'name: a\nusers: [{ name: root, uid: 1000 }]\n',
    faults: ['2:17 that name belongs to the system'],
  },
  {
    title: 'two users with one number',
    yaml: 'name: a\nusers:\n  - { name: b, uid: 1000 }\n  - { name: c, uid: 1000 }\n',
    faults: ["4:21 the uid 1000 is taken by 'b'"],
  },
  {
    title: 'a sector size of none',
    yaml: 'name: a\ndisk: { sector_size: 1024 }\n',
    faults: ['2:22 expected one of 512, 4096, found the number 1024'],
  },
  {
    title: 'a state partition that is too small',
    yaml: 'name: a\ndisk: { state_size: 1MB }\n',
    faults: ['2:21 expected at least 64MB, in steps of 4MB'],
  },
  {
    title: 'a size that is none',
    yaml: 'name: a\ndisk: { state_size: big }\n',
    faults: [
      "2:21 'big' is no size: write digits and a unit, such as 64MB or 1GiB (units are powers of 1024)",
    ],
  },
  {
    title: 'a duration without a unit',
    yaml: 'name: a\nhost: { gate_soak: 10 }\n',
    faults: ['2:20 expected a duration such as 30s or 1m30s'],
  },
  {
    title: 'decimal file modes',
    yaml: 'name: a\nhost:\n  files:\n    - { path: /a, content: b, mode: 644 }\n    - { path: /b, content: b, mode: 0644 }\n    - { path: /c, content: b, mode: "420" }\n',
    faults: [
      "4:37 a file mode is octal, and the bare number 644 does not say so: write it as a quoted '0644' or as 0o644",
      "5:37 a file mode is octal, and the bare number 644 does not say so: write it as a quoted '0644' or as 0o644",
      "6:37 '420' is no file mode: write octal digits, such as '0644' or 0o644",
    ],
  },
  {
    title: 'files: both, neither, missing, twice, climbing',
    yaml: 'name: a\nhost:\n  files:\n    - { path: /a, content: b, source: c }\n    - { path: /b }\n    - { path: c, content: d }\n    - { path: /../d, content: d }\n',
    faults: [
      '4:7 a file has either `content` or `source`',
      '5:7 a file has either `content` or `source`',
      "6:15 'c' is no absolute path",
      "7:15 '/../d' is no absolute path",
    ],
  },
  {
    title: 'files: a source that is not there, a path given twice',
    yaml: 'name: a\nhost:\n  files:\n    - { path: /a, source: c }\n    - { path: /b, content: d }\n    - { path: /b, content: e }\n',
    faults: ['4:27 cannot read /project/c: there is no such file', '6:15 /b is given twice'],
  },
];

const FILE_CASES: readonly Case[] = [
  {
    title: 'an include that is not there',
    yaml: 'name: a\ninclude:\n  - b\n',
    faults: ['3:5 cannot read /project/b: there is no such file'],
  },
  {
    title: 'an extends that is not there',
    yaml: 'name: a\nextends: b.yaml\n',
    faults: ['2:10 cannot read /project/b.yaml: there is no such file'],
  },
  {
    title: 'an image that extends itself',
    yaml: 'name: a\nextends: ./image.yaml\n',
    faults: ['2:10 this image extends itself'],
  },
  {
    title: 'a circle of two',
    yaml: 'name: a\nextends: b.yaml\n',
    others: { 'b.yaml': 'name: b\nextends: image.yaml\n' },
    faults: ['b.yaml:2:10 this image extends itself'],
  },
  {
    title: 'a name that is only inherited',
    yaml: 'extends: b.yaml\n',
    others: { 'b.yaml': 'name: b\n' },
    faults: ["1:1 'name' is missing"],
  },
  {
    title: 'faults in what is extended and in what is included, all at once',
    yaml: 'name: a\nextends: b.yaml\ninclude: [ssh]\nversion: 1\n',
    others: {
      'b.yaml': 'name: b\ncolour: red\n',
      'ssh/compose.yaml': 'services:\n  ssh:\n    image: ./a\n    prots: [1]\n',
    },
    faults: [
      '4:10 expected a text, found the number 1',
      "b.yaml:2:1 'colour' is no key of an image definition",
      "ssh/compose.yaml:4:5 'prots' is no key of a service",
    ],
  },
  {
    title: 'two included files with one service',
    yaml: 'name: a\ninclude: [b, c]\n',
    others: { 'b/compose.yaml': GOOD_SERVICE, 'c/compose.yaml': GOOD_SERVICE },
    faults: ["c/compose.yaml:2:3 there is a service 'ssh' already"],
  },
  {
    title: 'a profile that nobody defines',
    yaml: 'name: a\n',
    profiles: ['debgu'],
    faults: ["1:1 the image has no profile 'debgu'"],
  },
  {
    title: 'a fault in a profile that is not active',
    yaml: 'name: a\nprofiles:\n  lab: { kernl: {} }\n',
    faults: ["3:10 'kernl' is no key of 'lab'"],
  },
  {
    title: 'a debug image whose state a TPM would have to open',
    yaml: 'name: a\nstate:\n  encrypt: tpm2\n',
    profiles: ['debug'],
    faults: ['3:12 a debug image has no signature that a TPM would accept'],
  },
  {
    title: 'an encryption that nobody knows',
    yaml: 'name: a\nstate: { encrypt: luks }\n',
    faults: ["2:19 expected one of 'none', 'tpm2', found the text 'luks'"],
  },
  {
    title: 'a profile may not change what an image is',
    yaml: 'name: a\nprofiles:\n  lab:\n    name: b\n',
    faults: ["4:5 'name' is no key of 'lab'"],
  },
];

describe.each([
  ['YAML', YAML_CASES],
  ['shape', SHAPE_CASES],
  ['files', FILE_CASES],
])('%s', (_, cases) => {
  test.each(cases)('$title', async ({ yaml, others = {}, profiles = [], faults }) => {
    const { image: loaded, diagnostics } = await image({ 'image.yaml': yaml, ...others }, { profiles });
    expect(places(diagnostics)).toEqual(faults);
    expect(loaded).toBeUndefined();
  });
});

test('a missing image definition is told by name', async () => {
  const { diagnostics } = await image({});
  expect(places(diagnostics)).toEqual(['1:1 cannot read /project/image.yaml: there is no such file']);
});

test('CRLF and a byte order mark do not move columns', async () => {
  const { diagnostics } = await image({ 'image.yaml': '\uFEFFname: a\r\nversion: 1.5\r\n' });
  expect(diagnostics).toMatchObject([{ line: 2, column: 10, length: 3, sourceLine: 'version: 1.5' }]);
});
