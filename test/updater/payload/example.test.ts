/** The example in docs/payload-format.md is a payload, and does what the page says: readers in the field will meet such bytes for ever. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { checkFrame } from '../../../updater/payload/frame.ts';
import { encodeHeader, parseHeader } from '../../../updater/payload/header.ts';
import { applyPatch } from '../../../updater/payload/patch.ts';
import { createHash } from 'node:crypto';

const page = readFileSync(new URL('../../../docs/payload-format.md', import.meta.url), 'utf8');
const payload = Buffer.from(/```\n((?:[0-9a-f]+\n)+)```/.exec(page)?.[1]?.replaceAll('\n', '') ?? '', 'hex');
const HEADER_BYTES = 87;

function lines(name: string): Buffer {
  const text = Array.from({ length: 60 }, (_, index) => `${name} line ${index}\n`).join('');
  return Buffer.from(text.slice(0, 512));
}
const old = Buffer.concat([lines('first'), lines('second'), lines('third')]);

test('its header', () => {
  const bytes = payload.subarray(0, HEADER_BYTES);
  const header = parseHeader(bytes, { payloadBytes: 118, targetBytes: 1524, sourceBytes: 1536 });
  expect(header.operations.map(({ kind }) => kind)).toEqual(['copy', 'zero', 'patch']);
  expect(header.operations[0]).toMatchObject({ sourceOffset: 1024 });
  expect(Buffer.from(encodeHeader(header)).equals(bytes)).toBe(true);
});

test('its patch', async () => {
  const patch = parseHeader(payload.subarray(0, HEADER_BYTES)).operations[2];
  if (patch?.kind !== 'patch') throw new Error('no patch');
  const blob = payload.subarray(patch.blob.offset, patch.blob.offset + patch.blob.storedBytes);
  expect(createHash('sha256').update(blob).digest('hex')).toBe(patch.blob.sha256);
  checkFrame(blob, patch.blob.contentBytes);
  const { stdout } = await run(['zstd', '-dc'], { input: blob });
  const result = applyPatch(stdout, old, patch.target.sizeBytes);
  const expected = lines('second').subarray(0, 500);
  expected.write('CHANGED', 100);
  expect(Buffer.from(result).equals(expected)).toBe(true);
  expect(createHash('sha256').update(result).digest('hex')).toBe(patch.resultSha256);
});
