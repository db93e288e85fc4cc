/** `slipway validate` on configurations of machines: told apart by what they hold, read by the machine's own code. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { validate } from '../../cli/validate.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-validate-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function check(
  name: string,
  content: string | Uint8Array,
): Promise<readonly [string | undefined, readonly string[]]> {
  const file = join(folder, name);
  await writeFile(file, content);
  const { files, diagnostics } = await validate([file]);
  return [files[0]?.kind, diagnostics.map(({ line, message }) => `${line}: ${message}`)];
}

test.each<readonly [string, string | Uint8Array, string, readonly string[]]>([
  ['a.yaml', '#cloud-config\nhostname: web\n', 'user-data', []],
  [
    'b.gz',
    gzipSync('#cloud-config\nhostnam: web\n'),
    'user-data',
    ["2: 'hostnam' is no key of a #cloud-config"],
  ],
  ['c.sh', '#!/bin/sh\ntrue\n', 'user-data', []],
  ['d.txt', '## template: jinja\n#cloud-config\nhostname: "{{ v1.local_hostname }}"\n', 'user-data', []],
  [
    'e.txt',
    '#include\nhttp://a.example/\n',
    'user-data',
    ['2: what stands at this address is not looked at here'],
  ],
  [
    'f.yaml',
    'runcmd: [a]\n',
    'user-data',
    ["1: the first line says nothing about what this is; the first line is 'runcmd: [a]'"],
  ],
  [
    'user-data',
    'hello\n',
    'user-data',
    ["1: the first line says nothing about what this is; the first line is 'hello'"],
  ],
  ['g.yaml', 'version: 2\nethernets: {eth0: {dhcp4: true}}\n', 'network-config', []],
  ['h.yaml', 'name: web\nkernel: {}\n', 'image', []],
  ['i.yaml', 'services: {a: {image: ./b}}\n', 'services', []],
])('%s', async (name, content, kind, faults) => {
  expect(await check(name, content)).toEqual([kind, faults]);
});

test('services are checked as on the machine, and all faults are told at once', async () => {
  const [, faults] = await check(
    'j.yaml',
    '#cloud-config\nusers: [{name: Ann}]\nservices:\n  web: {image: registry.example.org/a/web:1, port: [80]}\npackages: [curl]\n',
  );
  expect(faults.map((fault) => fault.split(':')[0]).sort()).toEqual(['2', '4', '5']);
});
