/** No document makes the reader throw or hang, and everything that it says of one has a place in it. */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { redact } from '../../../../host/provision/config.ts';
import { documentBytes, CORPUS } from './documents.ts';
import { read, told } from './reading.ts';

const RUNS = Number(process.env['SLIPWAY_FUZZ_RUNS'] ?? 150);

test('every document comes to a configuration and faults with places', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(documentBytes, async (bytes) => {
      const { config, keys, diagnostics } = await read(bytes, {
        variables: { v1: { local_hostname: 'web' } },
      });
      expect(() => redact(config)).not.toThrow();
      for (const { line, column, message, file } of diagnostics) {
        expect(line).toBeGreaterThan(0);
        expect(column).toBeGreaterThan(0);
        expect(message).not.toBe('');
        expect(file).toMatch(/^user-data/);
      }
      for (const { state, reason } of keys) if (state !== 'pending') expect(reason).not.toBeNull();
      // A fault is always the fault of a key, or of a document.
      const isFaulty = diagnostics.some(({ severity }) => severity === 'error');
      expect(keys.some(({ state }) => state === 'failed')).toBe(isFaulty);
    }),
    { numRuns: RUNS },
  );
});

test.each(CORPUS.filter((text) => !text.startsWith('#include')).map((text, index) => [index, text]))(
  'document %i of the corpus is taken',
  async (_index, text) => {
    const result = await read(text, { variables: { v1: { local_hostname: 'web' } } });
    expect(told(result).filter((line) => !line.includes('warning: '))).toEqual([]);
  },
);

test('deep nesting and exploding aliases are refused, quickly', async () => {
  const started = process.cpuUsage();
  const bomb = `#cloud-config\na: &a [x,x,x,x,x,x,x,x,x]\n${[...'bcdefghij']
    .map(
      (name, index) =>
        `${name}: &${name} [${Array(9)
          .fill(`*${'abcdefghi'[index] ?? ''}`)
          .join(',')}]`,
    )
    .join('\n')}\n`;
  expect(told(await read(bomb))).toEqual([
    '1: the file holds too many values once its aliases are written out',
  ]);
  expect(told(await read(`#cloud-config\nusers: ${'['.repeat(5000)}`))).toEqual([
    '1: the file is nested too deeply',
  ]);
  expect(told(await read(`#cloud-config\nruncmd: [${'a,'.repeat(140_000)}]`))).toEqual([
    '1: the file is larger than 256 KiB',
  ]);
  expect(process.cpuUsage(started).user).toBeLessThan(10_000_000);
});
