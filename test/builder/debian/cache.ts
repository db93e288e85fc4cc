/** A cache of a test's own. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';

/** Sets SLIPWAY_CACHE to an empty folder for each test of the file. */
export function useEmptyCache(): void {
  let before: string | undefined;
  let folder = '';
  beforeEach(async () => {
    before = process.env['SLIPWAY_CACHE'];
    folder = await mkdtemp(join(tmpdir(), 'slipway-cache-'));
    process.env['SLIPWAY_CACHE'] = folder;
  });
  afterEach(async () => {
    if (before === undefined) delete process.env['SLIPWAY_CACHE'];
    else process.env['SLIPWAY_CACHE'] = before;
    await rm(folder, { recursive: true, force: true });
  });
}
