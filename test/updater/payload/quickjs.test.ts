/** What the machine runs, run as it runs it: the parsers and the patches under QuickJS. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { encodeHeader, type EncodableOperation } from '../../../updater/payload/header.ts';
import { LIMITS } from '../../../updater/payload/limits.ts';
import { encodePatch, type PatchStep } from '../../../updater/payload/patch.ts';
import { scratchDirectory } from '../../builder/scratch.ts';
import { quickJs } from '../../host/quickjs.ts';

const scratch = scratchDirectory();
const MIB = 1024 * 1024;
const DIGEST = '00'.repeat(32);

test('a header of as many operations as there may be, and a patch of 2 MiB with 5000 changes, within 16 MB and for less than half of a loop over the bytes', async () => {
  const program = join(scratch, 'main.js');
  await build({
    entryPoints: [join(import.meta.dirname, 'quickjs-main.ts')],
    outfile: program,
    bundle: true,
    platform: 'neutral',
    target: 'es2022',
    format: 'esm',
    external: ['std', 'os'],
  });
  const window = Uint8Array.from({ length: 4 * MIB }, (_, index) => (index * 7 + (index >> 8)) & 255);
  const steps = Array.from({ length: 5000 }, (): PatchStep => ({
    copyBytes: 400,
    differences: Uint8Array.of(1, 0, 255),
    inserted: Uint8Array.of(9),
    seek: 10,
  }));
  const resultBytes = steps.length * 404;
  const expected = new Uint8Array(resultBytes);
  for (let step = 0; step < steps.length; step += 1) {
    const [from, to] = [step * 413, step * 404];
    expected.set(window.subarray(from, from + 403), to);
    expected[to + 400] = (expected[to + 400] ?? 0) + 1;
    expected[to + 402] = (expected[to + 402] ?? 0) - 1;
    expected[to + 403] = 9;
  }
  const blob = { storedBytes: 10, sha256: DIGEST, contentBytes: 10 };
  const operations = Array.from({ length: LIMITS.operations }, (_, index): EncodableOperation => {
    const first: EncodableOperation = {
      kind: 'patch',
      target: { offset: 0, sizeBytes: resultBytes },
      extents: [{ offset: 0, sizeBytes: window.length }],
      blob,
      resultSha256: DIGEST,
    };
    return index === 0
      ? first
      : { kind: 'full', target: { offset: resultBytes + (index - 1) * 4, sizeBytes: 4 }, blob };
  });
  const header = encodeHeader({
    blockBytes: 4,
    targetBytes: resultBytes + (LIMITS.operations - 1) * 4,
    sourceBytes: window.length,
    operations,
  });
  const paths = ['header', 'patch', 'window', 'output'].map((name) => join(scratch, name));
  const [headerPath = '', patchPath = '', windowPath = '', output = ''] = paths;
  writeFileSync(headerPath, header);
  writeFileSync(patchPath, encodePatch(steps));
  writeFileSync(windowPath, window);
  // Bounded as on the machine: what the largest header leaves behind fits beside a window, a patch and a result.
  await run([...(await quickJs()), '--memory-limit', '16M', '-m', program, ...paths]);
  expect(readFileSync(output).equals(expected)).toBe(true);
  const told = JSON.parse(readFileSync(`${output}.json`, 'utf8')) as Record<
    'operations' | 'applyMs' | 'loopMs',
    number
  >;
  expect(told.operations).toBe(LIMITS.operations);
  expect(told.applyMs).toBeLessThan(told.loopMs / 2);
});
