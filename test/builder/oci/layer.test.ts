import type * as promises from 'node:fs/promises';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { openLayer } from '../../../builder/oci/layer.ts';
import { digest, tar } from './image-files.ts';

// A busy disk: the file for a layer's contents is there only after the layer could have been read to its end.
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof promises>();
  const open: typeof real.open = async (path, ...rest) => {
    if (typeof path === 'string' && path.endsWith('/data')) await new Promise((done) => setTimeout(done, 50));
    return real.open(path, ...rest);
  };
  return { ...real, open };
});

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'slipway-layer-'));
  vi.stubEnv('SLIPWAY_CACHE', join(scratch, 'cache'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(scratch, { recursive: true });
});

test('a slow disk loses no entry of a layer', async () => {
  const layer = await tar([
    { name: 'a', text: 'first' },
    { name: 'b', text: 'second' },
  ]);
  const path = join(scratch, 'layer.tar');
  await writeFile(path, layer);
  const { entries } = await openLayer({ path, diffId: digest(layer), sizeBytes: layer.length }, () =>
    Promise.reject(new Error('it is not compressed')),
  );
  expect(entries.map((entry) => [entry.path, entry.sizeBytes])).toEqual([
    ['a', 5],
    ['b', 6],
  ]);
});
