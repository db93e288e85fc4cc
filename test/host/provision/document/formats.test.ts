/** What may stand in user-data: each format, alone and in others, and what is said of the rest. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { read, states, told } from './reading.ts';

const CLOUD_CONFIG = '#cloud-config\nhostname: web\n';
const SCRIPT = '#!/bin/sh\necho hello\n';
const hostname = async (data: string | Uint8Array): Promise<string | undefined> =>
  (await read(data)).config.hostname?.value;

describe('one document', () => {
  test.each([
    ['as it is', CLOUD_CONFIG],
    ['with line ends of Windows', CLOUD_CONFIG.replaceAll('\n', '\r\n')],
    ['with a byte order mark', `\ufeff${CLOUD_CONFIG}`],
    ['behind blank lines', `\n\n${CLOUD_CONFIG}`],
    ['with a comment behind the header', '#cloud-config # of web\nhostname: web\n'],
    ['packed', gzipSync(CLOUD_CONFIG)],
    ['packed twice', gzipSync(gzipSync(CLOUD_CONFIG))],
  ])('%s', async (_what, data) => {
    expect(await hostname(data)).toBe('web');
  });

  test.each([
    ['nothing', ''],
    ['blank lines', '\n \n'],
    ['a header alone', '#cloud-config\n# nothing yet\n'],
  ])('%s is nothing to do, and no fault', async (_what, data) => {
    const result = await read(data);
    expect([result.keys, result.diagnostics]).toEqual([[], []]);
  });

  test('a script runs once an instance, under a name of its own', async () => {
    const result = await read(SCRIPT);
    expect(result.config.scripts).toMatchObject([
      { name: 'part-001', when: 'instance', text: { value: SCRIPT, secret: true } },
    ]);
    expect(states(result)).toEqual(['script part-001 pending']);
  });
});

describe('what cannot be used is named, and its first line quoted', () => {
  test.each([
    [
      'hostname: web\n',
      "1: the first line says nothing about what this is; the first line is 'hostname: web'",
      'put `#cloud-config`',
    ],
    [
      '# cloud-config\nhostname: web\n',
      "1: the first line is nearly `#cloud-config`; the first line is '# cloud-config'",
      'exactly so',
    ],
    [
      '#cloud_config\n',
      "1: the first line is nearly `#cloud-config`; the first line is '#cloud_config'",
      'exactly so',
    ],
    [
      '{"ignition": {"version": "3.4.0"}}',
      `1: this is an Ignition document; the first line is '{"ignition": {"version": "3.4.0"}}'`,
      'write it as such',
    ],
    [
      'variant: fcos\nversion: 1.5.0\n',
      "1: this is a Butane document; the first line is 'variant: fcos'",
      'write it as such',
    ],
    [
      btoa(`${CLOUD_CONFIG}# more\n`),
      `1: this is wrapped in base64; the first line is '${btoa(`${CLOUD_CONFIG}# more\n`)}'`,
      'as it is',
    ],
    ['#cloud-boothook\nx\n', '1: a boothook (a script before everything else) is not supported', 'bootcmd'],
    ['#part-handler\nx\n', '1: a part handler (a Python program) is not supported', 'Python'],
    ['#cloud-config-jsonp\n[]\n', '1: a JSON patch is not supported', 'merged'],
    ['hello\n', "1: the first line says nothing about what this is; the first line is 'hello'", '#!'],
    ['{"a": 1}', `1: this is JSON without a header; the first line is '{"a": 1}'`, 'put `#cloud-config`'],
  ])('%j', async (data, message, hint) => {
    const result = await read(data);
    expect(told(result)).toEqual([message]);
    expect(result.diagnostics[0]?.hint).toContain(hint);
    expect(states(result)).toEqual(['document failed']);
  });

  test('bytes that are no text', async () => {
    expect(told(await read(new Uint8Array([0xff, 0xfe, 0x00])))).toEqual([
      '1: the document is neither UTF-8 text nor gzip',
    ]);
    const damaged = gzipSync(CLOUD_CONFIG).subarray(0, 20);
    expect(told(await read(damaged))).toEqual([
      '1: the document cannot be unpacked: it is damaged, or larger than 1 MiB',
    ]);
    const bomb = gzipSync(new Uint8Array(8 * 1024 * 1024));
    expect(told(await read(bomb))).toEqual([
      '1: the document cannot be unpacked: it is damaged, or larger than 1 MiB',
    ]);
  });
});

const part = (headers: readonly string[], body: string): string => [...headers, '', body].join('\n');
const mime = (...parts: readonly string[]): string =>
  [
    'Content-Type: multipart/mixed; boundary="=="',
    'MIME-Version: 1.0',
    '',
    ...parts.map((text) => `--==\n${text}`),
    '--==--',
    '',
  ].join('\n');

describe('MIME', () => {
  test('parts in order: a configuration, scripts of all kinds, packed ones', async () => {
    const result = await read(
      mime(
        part(
          [
            'Content-Type: text/cloud-config; charset="utf-8"',
            'Content-Disposition: attachment; filename="base.yaml"',
          ],
          CLOUD_CONFIG,
        ),
        part(
          [
            'Content-Type: text/x-shellscript',
            'Content-Transfer-Encoding: base64',
            'Content-Disposition: attachment; filename="a b.sh"',
          ],
          btoa(SCRIPT),
        ),
        part(['Content-Type: text/x-shellscript-per-boot'], SCRIPT),
        part(['Content-Type: text/x-shellscript-per-once'], SCRIPT),
        part(
          ['Content-Type: text/plain', 'Content-Transfer-Encoding: quoted-printable'],
          '#cloud-config=0Afqdn: web.=\nexample.org',
        ),
        part(
          ['Content-Type: application/octet-stream', 'Content-Transfer-Encoding: base64'],
          gzipSync('#cloud-config\ntimezone: UTC\n').toString('base64'),
        ),
      ),
    );
    expect(told(result)).toEqual([]);
    const { config } = result;
    expect([config.hostname?.value, config.fqdn?.value, config.timezone?.value.name]).toEqual([
      'web',
      'web.example.org',
      'UTC',
    ]);
    expect(config.hostname?.at).toEqual({ part: 'user-data part 1 (base.yaml)', line: 2, column: 11 });
    expect(config.scripts.map(({ name, when }) => [name, when])).toEqual([
      ['a_b.sh', 'instance'],
      ['part-003', 'boot'],
      ['part-004', 'once'],
    ]);
  });

  test('a shell script that is a configuration is one, as in cloud-init', async () => {
    expect(await hostname(mime(part(['Content-Type: text/x-shellscript'], CLOUD_CONFIG)))).toBe('web');
  });

  test('messages in messages', async () => {
    const inner = mime(part(['Content-Type: text/cloud-config'], CLOUD_CONFIG)).replaceAll('==', 'inner');
    expect(await hostname(mime(inner))).toBe('web');
  });

  test('a part that is faulty leaves the others', async () => {
    const result = await read(
      mime(
        part(['Content-Type: text/html'], '<p>'),
        part(['Content-Type: text/cloud-config', 'Content-Transfer-Encoding: base64'], '!!!'),
        part(['Content-Type: text/x-shellscript-per-boot'], 'echo'),
        part(['Content-Type: text/cloud-config', 'Merge-Type: list(append)'], CLOUD_CONFIG),
      ),
    );
    expect(told(result)).toEqual([
      "1: documents of the type 'text/html' are not known",
      '1: the body of this part is not in its encoding',
      "1: the script does not begin with '#!'",
    ]);
    expect(result.config.hostname?.value).toBe('web');
    expect(states(result)).toEqual([
      'document failed',
      'document failed',
      'document failed',
      'merge-type ignored',
      'hostname pending',
    ]);
  });

  test('a configuration that only speaks of MIME is none', async () => {
    expect(await hostname('#cloud-config\nhostname: web\n# MIME-Version: 1.0\n')).toBe('web');
  });

  test('a message without its boundary', async () => {
    expect(told(await read('MIME-Version: 1.0\nContent-Type: multipart/mixed\n\nx\n'))).toEqual([
      '1: the MIME message names no boundary',
    ]);
    expect(told(await read('MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\ny\n'))).toEqual([
      "1: no line '--x' is in the MIME message",
    ]);
  });
});

test('an archive: documents in a list', async () => {
  const result = await read(
    `#cloud-config-archive\n- type: text/cloud-config\n  filename: base\n  content: |\n    hostname: web\n- "#!/bin/sh\\ntrue\\n"\n- type: text/cloud-config\n`,
  );
  expect(result.config.hostname).toMatchObject({
    value: 'web',
    at: { part: 'user-data part 1 (base)', line: 1 },
  });
  expect(result.config.scripts).toHaveLength(1);
  expect(told(result)).toEqual(["7: a document of the archive has no text under 'content'"]);
});

describe('#include', () => {
  test('addresses, one a line; what is there is any document', async () => {
    const result = await read('#include\n# base\nhttp://a.example/base\nhttps://u:p@b.example/x?token=1\n', {
      answers: {
        'http://a.example/base': CLOUD_CONFIG,
        'https://u:p@b.example/x?token=1': gzipSync('#cloud-config\nfqdn: web.example.org\n'),
      },
    });
    expect(result.config.hostname?.value).toBe('web');
    // No token and no password in a name.
    expect(result.config.fqdn?.at.part).toBe('user-data (https://b.example/x)');
  });

  test('one that cannot be had is a fault with its line', async () => {
    const result = await read('#include-once\nhttp://a.example/none?secret\nfile:///etc/passwd\n');
    expect(told(result)).toEqual([
      '2: http://a.example/none cannot be fetched',
      '3: expected an address that begins with http:// or https://',
    ]);
  });

  test('one that includes itself comes to an end', async () => {
    const result = await read('#include\nhttp://a.example/\n', {
      answers: { 'http://a.example/': '#include\nhttp://a.example/\nhttp://a.example/\n' },
    });
    expect(told(result).some((line) => /too (deep|many)/.test(line))).toBe(true);
  });
});

describe('## template: jinja', () => {
  const variables = {
    v1: { local_hostname: 'web', instance_id: 'i-1', count: 3 },
    ds: { meta_data: { 'local-hostname': 'h', keys: ['a', 'b'] } },
  };

  test('plain names are replaced, lines stay where they are', async () => {
    const text =
      '## template: jinja\n#cloud-config\nhostname: {{ v1.local_hostname }}-{{v1.count}}\nfqdn: "{{ ds.meta_data.local_hostname }}.example"\nfinal_message: "{{ instance_id }} {{ ds.meta_data[\'keys\'][1] }}"\n';
    const { config, diagnostics } = await read(text, { variables });
    expect(diagnostics).toEqual([]);
    expect([config.hostname?.value, config.fqdn?.value, config.finalMessage?.value]).toEqual([
      'web-3',
      'h.example',
      'i-1 b',
    ]);
    expect(config.fqdn?.at.line).toBe(4);
  });

  test('a script begins with its first line', async () => {
    const { config } = await read('## template: jinja\n#!/bin/sh\necho {{ v1.instance_id }}\n', {
      variables,
    });
    expect(config.scripts[0]?.text.value).toBe('#!/bin/sh\necho i-1\n');
  });

  test('a missing name, a filter, a statement: each a fault at its place', async () => {
    const text =
      '## template: jinja\n#cloud-config\nhostname: {{ v1.nmae }}\nfqdn: {{ v1.local_hostname | upper }}\n{% if x %}\ntimezone: {{ ds.meta_data }}\n';
    const result = await read(text, { variables });
    expect(told(result)).toEqual([
      "3: 'v1.nmae' is not known on this machine",
      "4: 'v1.local_hostname | upper' is more than a name",
      '5: statements and comments of Jinja are not supported',
      "6: 'ds.meta_data' is more than one value",
    ]);
    expect(result.diagnostics[0]).toMatchObject({ column: 11, length: 13 });
    expect(result.config.hostname).toBeUndefined();
  });

  test('without the header nothing is replaced', async () => {
    expect((await read('#cloud-config\nfinal_message: "{{ x }}"\n')).config.finalMessage?.value).toBe(
      '{{ x }}',
    );
  });
});

test.each([
  [
    { 'ami-launch-index': '1' },
    ['launch-index ignored', 'launch-index applied', 'hostname pending'],
    'second',
  ],
  [{ launch_index: 0 }, ['launch-index applied', 'hostname pending', 'launch-index ignored'], 'first'],
  [{}, ['launch-index ignored', 'hostname pending', 'launch-index ignored', 'hostname pending'], 'second'],
])('parts for one machine of a launch: %j', async (metaData, expected, name) => {
  const one = (index: number, hostname: string): string =>
    `  - { type: text/cloud-config, launch-index: ${index}, content: 'hostname: ${hostname}' }`;
  const archive = ['#cloud-config-archive', one(0, 'first'), one(1, 'second'), ''].join('\n');
  const variables = { ds: { meta_data: metaData } };
  const fromArchive = await read(archive, { variables });
  expect(states(fromArchive)).toEqual(expected);
  expect(fromArchive.config.hostname?.value).toBe(name);
  const inMime = mime(
    part(['Content-Type: text/cloud-config', 'Launch-Index: 0'], 'hostname: first'),
    part(['Content-Type: text/cloud-config', 'Launch-Index: 1'], 'hostname: second'),
  );
  expect((await read(inMime, { variables })).config.hostname?.value).toBe(name);
});
