/** Documents that cost much to read, each of which once would have taken minutes: refused or read in a moment. */
import { expect, test } from 'vitest';
import { read, told } from './reading.ts';

const SIZE = 250_000;
const fill = (text: string): string => text.repeat(Math.floor(SIZE / text.length));
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n');

const TOO_MANY = '1: the file holds too many values';

test.each<readonly [string, string, string | undefined]>([
  ['blanks between letters', `a${fill(' ')}!`, '1: the first line says nothing about what this is'],
  ['open braces', `## template: jinja\n#cloud-config\nfinal_message: "${fill('{')}"\n`, undefined],
  ['names left open', `## template: jinja\n#cloud-config\nfinal_message: "${fill('{{ a ')}"\n`, undefined],
  ['a long address', `#include\nhttp://${fill('a')} b\n`, '2: expected an address'],
  [
    'begun certificates',
    `#cloud-config\nca_certs: {trusted: ["${fill('-----BEGIN CERTIFICATE-----')}"]}\n`,
    '2: this is no certificate',
  ],
  [
    'a key without an end',
    `#cloud-config\nssh_authorized_keys: ['${fill('ssh-rsa AAAA')}!']\n`,
    '2: this is no public key',
  ],
  [
    'a header without an end',
    `MIME-Version: 1.0\nContent-Type: text/plain${fill(';name="')}\n\nx\n`,
    '1: the first line says nothing',
  ],
  [
    'parts without content',
    `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n${fill('--x\n')}`,
    '1: there are too many documents',
  ],
  ['many values', `#cloud-config\nruncmd: [${fill('a,')}]\n`, TOO_MANY],
  ['many lines', `#cloud-config\nruncmd:\n${fill('- a\n')}`, TOO_MANY],
  ['many keys', `#cloud-config\n${lines(20_000, (index) => `key${index}: 1`)}\n`, TOO_MANY],
  [
    'many aliases',
    `#cloud-config\nruncmd: [${lines(12_000, (index) => `&a${index} x, *a${index},`).replaceAll('\n', ' ')}]\n`,
    TOO_MANY,
  ],
])('%s', async (_what, text, expected) => {
  const started = process.cpuUsage();
  const said = told(await read(text));
  // Of this process: how busy the machine is otherwise does not matter.
  expect(process.cpuUsage(started).user).toBeLessThan(3_000_000);
  if (expected === undefined) expect(said).toEqual([]);
  else expect(said[0]).toContain(expected);
});

test('of many faults the first are told, and all are counted', async () => {
  const unknown = await read(`#cloud-config\nhostname: web\n${lines(500, (index) => `key${index}: 1`)}\n`);
  expect([unknown.diagnostics.length, unknown.config.hostname?.value]).toEqual([51, 'web']);
  const users = await read(`#cloud-config\nusers:\n${lines(500, (index) => `  - ${index}`)}\n`);
  expect(users.diagnostics).toHaveLength(50);
  expect(users.keys[0]?.reason).toBe('line 3: expected a text (name), found the number 0, and 499 more');
  // Not told, and left out all the same.
  const files = await read(
    `#cloud-config\nwrite_files:\n${lines(120, (index) => `  - {path: /var/${index}, mode: 1}`)}\n`,
  );
  expect([files.config.files, files.diagnostics.length]).toEqual([[], 50]);
});
