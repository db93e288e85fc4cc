/** A cache of a test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';

/** Sets SLIPWAY_CACHE to an empty folder for each test of the file. */
export function useEmptyCache(): void {
  useCache(beforeEach, afterEach);
}

/** Sets SLIPWAY_CACHE to one folder for all tests of the file. */
export function useSharedCache(): void {
  useCache(beforeAll, afterAll);
}

type Hook = (work: () => Promise<void>) => void;

function useCache(before: Hook, after: Hook): void {
  let named: string | undefined;
  let folder = '';
  before(async () => {
    named = process.env['SLIPWAY_CACHE'];
    folder = await mkdtemp(join(tmpdir(), 'slipway-cache-'));
    process.env['SLIPWAY_CACHE'] = folder;
  });
  after(async () => {
    if (named === undefined) delete process.env['SLIPWAY_CACHE'];
    else process.env['SLIPWAY_CACHE'] = named;
    await rm(folder, { recursive: true, force: true });
  });
}
