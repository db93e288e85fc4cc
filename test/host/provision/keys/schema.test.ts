/**
 * What we take without a word, cloud-init's own schema takes too. The schema is not ours to ship: SLIPWAY_CLOUD_CONFIG_SCHEMA names a copy
 * (cloudinit/config/schemas/schema-cloud-config-v1.json); without it these tests are skipped, and what is expected of each key stands in the others.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { KEYS } from '../../../../host/provision/keys/table.ts';
import { read } from '../document/reading.ts';

const path = process.env['SLIPWAY_CLOUD_CONFIG_SCHEMA'] ?? '';

/** Values of every kind, right and wrong. */
const VALUES: readonly unknown[] = [
  ...[
    true,
    false,
    '',
    'a',
    'a,b',
    'yes',
    'auto',
    'any',
    'none',
    'all',
    'now',
    'off',
    'remove',
    'localhost',
    'template',
    'noblock',
    'unchanged',
  ],
  ...[
    0,
    1,
    5,
    -1,
    1.5,
    70_000,
    '5',
    '+5',
    '0644',
    '/a',
    '/a/b',
    '512M',
    '1.5G',
    '12',
    'root:root',
    'gh:a',
    'https://a.example/',
    'UTC',
  ],
  ...[
    'reboot',
    'mbr',
    'gpt',
    'ext4',
    'b64',
    'text/plain',
    'rsa',
    'ed25519',
    '192.0.2.1',
    '192.0.2.0/24',
    'default',
    'raw',
  ],
  ...[
    [],
    ['a'],
    ['a', 'b'],
    [1],
    [true],
    [null],
    [['a', 'b']],
    [['a', 1]],
    [[]],
    ['192.0.2.1'],
    ['gh:a'],
    ['rsa'],
    ['boot'],
    [33, [33, 82]],
    ['hostname'],
    [{}],
  ],
  ...[
    {},
    { a: 'b' },
    { a: ['b'] },
    { a: true },
    { a: null },
    { a: 1 },
    [{ a: 'b' }],
    [{ name: 'a' }],
    [{ path: '/a' }],
    { when: ['boot'] },
  ],
  ...[
    ['a', 'b', 'c', 'd', 'e', 'f'],
    [null, null, 'auto', 'defaults', '0', '2'],
    [['/dev/vdb', '/a', 'ext4', 'ro', '0', '2']],
    { network: { when: ['boot'] } },
  ],
  ...[
    [{ name: 'list', settings: ['append'] }],
    'list(append)',
    { output: 'a', error: 'b' },
    { layout: 'us' },
    { mode: 'reboot' },
    { url: 'http://a.example/' },
  ],
  ...[[{ device: '/dev/vdb', filesystem: 'ext4' }], { '/dev/vdb': { table_type: 'gpt', layout: true } }],
];

/** What a sub-key needs beside it to be judged alone. */
const AROUND: Readonly<Record<string, (inner: Readonly<Record<string, unknown>>) => unknown>> = {
  users: (inner) => [{ name: 'ann', ...inner }],
  write_files: (inner) => [{ path: '/a', ...inner }],
  fs_setup: (inner) => [{ device: '/dev/vdb', filesystem: 'ext4', ...inner }],
  disk_setup: (inner) => ({ '/dev/vdb': { table_type: 'gpt', ...inner } }),
  power_state: (inner) => ({ mode: 'reboot', ...inner }),
  phone_home: (inner) => ({ url: 'http://a.example/', ...inner }),
  keyboard: (inner) => ({ layout: 'us', ...inner }),
  user: (inner) => ({ name: 'ann', ...inner }),
};

/** Where we take more on purpose. */
const LENIENT: readonly RegExp[] = [
  // Booleans of YAML 1.1, which this schema is given as texts here.
  /"(yes|off)"/,
  // Templates leave empty lists and mappings behind; they say nothing wrong.
  /\[\]|\{\}/,
  // The schema contradicts itself: an integer, and one of three words.
  /"partition":"?\d/,
];

describe.skipIf(!existsSync(path))('judged by the schema of cloud-init', () => {
  const schema = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>) : {};
  delete schema['$schema'];
  const judge = existsSync(path)
    ? new Ajv({ strict: false, validateSchema: false, validateFormats: false }).compile(schema)
    : undefined;

  const cases = KEYS.filter(({ group }) => group === 'A' || group === 'B').flatMap(({ name, members }) => [
    ...VALUES.map((value) => ({ [name]: value })),
    ...Object.keys(members ?? {}).flatMap((member) =>
      VALUES.map((value) => {
        const inner = { [member]: value };
        return { [name]: (AROUND[name] ?? ((whole: object) => whole))(inner) };
      }),
    ),
  ]);

  test('what passes in silence passes there', async () => {
    const stricter: string[] = [];
    let taken = 0;
    for (const document of cases) {
      const result = await read(`#cloud-config\n${stringify(document)}`);
      if (result.diagnostics.length > 0 || result.keys.some(({ state }) => state === 'ignored')) continue;
      taken += 1;
      const text = JSON.stringify(document);
      if (judge?.(document) !== true && !LENIENT.some((pattern) => pattern.test(text))) stricter.push(text);
    }
    expect(taken).toBeGreaterThan(300);
    expect(stricter).toEqual([]);
  });
});
