/** The same plan, byte for byte, on the workstation and on the machine. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { planConfig } from '../../../../host/provision/plan/plan.ts';
import { read } from '../document/reading.ts';
import { bundleForMachine, quickJs } from '../../quickjs.ts';
import { disk, EXT4, FACTS, partition, POLICY } from './facts.ts';

const facts = {
  ...FACTS,
  disks: [
    disk(),
    disk({
      path: '/dev/vdc',
      table: { kind: 'gpt', id: 'x' },
      partitions: [partition(1, { path: '/dev/vdc1', content: EXT4 })],
    }),
  ],
};

const word = fc.constantFrom(
  'app',
  'web1',
  'ü',
  'a b',
  "it's",
  '0644',
  'true',
  '~',
  '{{ v1.x }}',
  '/var/x',
  '/etc/x',
  'gh:me',
);
const number = fc.integer({ min: -1, max: 70_000 });
/** Keys with values that are right now and then. */
const entry = fc.oneof(
  fc
    .tuple(word, number)
    .map(([name, uid]) => `users: [default, {name: ${q(name)}, uid: ${uid}, groups: [sudo, docker]}]`),
  fc
    .tuple(word, word)
    .map(
      ([path, content]) =>
        `write_files: [{path: ${q(path)}, content: ${q(content)}, owner: "app:app", permissions: '0640'}]`,
    ),
  word.map((name) => `hostname: ${q(name)}`),
  word.map((name) => `ntp: {servers: [${q(name)}]}`),
  word.map((name) => `runcmd: [[echo, ${q(name)}], ${q(name)}]`),
  fc.constantFrom('Europe/Berlin', 'UTC', 'Nowhere/City').map((zone) => `timezone: ${zone}`),
  number.map((size) => `swap: {filename: /var/swap, size: ${size}}`),
  fc
    .constantFrom('true', '[50, [50, 82]]', '[200]')
    .map((layout) => `disk_setup: {/dev/vdb: {layout: ${layout}, overwrite: true}}`),
  fc
    .constantFrom('auto', '1', 'any')
    .map((which) => `fs_setup: [{device: /dev/vdc, partition: ${which}, filesystem: ext4, label: data}]`),
  word.map((target) => `mounts: [[vdc1, ${q(target)}]]`),
  fc.constantFrom('reboot', 'poweroff').map((mode) => `power_state: {mode: ${mode}, condition: true}`),
);

test('plans of any documents', async () => {
  const documents = fc
    .sample(fc.uniqueArray(entry, { minLength: 1, maxLength: 8, selector: (line) => line.split(':')[0] }), {
      numRuns: 80,
      seed: 4,
    })
    .map((lines) => `#cloud-config\n${lines.join('\n')}\n`);
  const here: string[] = [];
  for (const document of documents) {
    const { config } = await read(document);
    const first = JSON.stringify(planConfig(config, facts, POLICY));
    expect(JSON.stringify(planConfig(config, facts, POLICY))).toBe(first);
    here.push(first);
  }
  const folder = mkdtempSync(join(tmpdir(), 'slipway-plan-'));
  try {
    const program = join(folder, 'plan.js');
    await bundleForMachine('test/host/provision/plan/quickjs-main.ts', program);
    const [input, output] = [join(folder, 'in.json'), join(folder, 'out.json')];
    writeFileSync(input, JSON.stringify({ documents, facts, policy: POLICY }));
    const [qjs = '', ...words] = await quickJs();
    execFileSync(qjs, [...words, '--no-unhandled-rejection', '-m', program, input, output]);
    const there = JSON.parse(readFileSync(output, 'utf8')) as string[];
    expect(there).toEqual(here);
    // Most of them say something.
    expect(here.filter((plan) => !plan.includes('"steps":[]')).length).toBeGreaterThan(60);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function q(text: string): string {
  return JSON.stringify(text);
}
