/** The machine's own interpreter, with the reader of YAML as it is bundled for it, reads every document as Node does: byte for byte. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { run } from '../../../../builder/process/run.ts';
import { scratchDirectory } from '../../../builder/scratch.ts';
import { bundleForMachine, quickJs } from '../../quickjs.ts';
import { CORPUS, documentBytes } from './documents.ts';
import { readCase, type Case } from './machine-reader.ts';

const scratch = scratchDirectory();
const program = join(scratch, 'main.js');

beforeAll(() => bundleForMachine('test/host/provision/document/on-quickjs.ts', program));

async function onMachine(cases: readonly Case[], memory: string): Promise<readonly string[]> {
  const [input, output] = [join(scratch, 'cases.json'), join(scratch, 'results')];
  writeFileSync(input, JSON.stringify(cases));
  await run([
    ...(await quickJs()),
    '--memory-limit',
    memory,
    '--no-unhandled-rejection',
    '-m',
    program,
    input,
    output,
  ]);
  return readFileSync(output, 'utf8').split('\n');
}

const encoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

test('the corpus, and documents broken in every way', async () => {
  const wild = fc.sample(documentBytes, {
    numRuns: Number(process.env['SLIPWAY_FUZZ_RUNS'] ?? 500),
    seed: Number(process.env['SLIPWAY_FUZZ_SEED'] ?? 7),
  });
  const cases = [...CORPUS.map((text) => new TextEncoder().encode(text)), ...wild].map((bytes) => ({
    userData: encoded(bytes),
  }));
  for (let start = 0; start < cases.length; start += 500) {
    const some = cases.slice(start, start + 500);
    const there = await onMachine(some, '64M');
    expect(there.length).toBe(some.length);
    for (const [index, one] of some.entries()) expect(there[index]).toBe(await readCase(one));
  }
});

test('a document of 64 kB with a thousand entries, within the memory of provisioning', async () => {
  const files = Array.from(
    { length: 400 },
    (_, index) => `  - {path: /var/lib/app/${index}, content: "${'x'.repeat(60)}", permissions: '0644'}`,
  );
  const commands = Array.from({ length: 600 }, (_, index) => `  - [echo, "${index}"]`);
  const text = `#cloud-config\nwrite_files:\n${files.join('\n')}\nruncmd:\n${commands.join('\n')}\n`;
  const one = { userData: encoded(new TextEncoder().encode(text)) };
  expect(await onMachine([one], '15M')).toEqual([await readCase(one)]);
});
