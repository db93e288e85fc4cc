/** A directory for one test file, removed afterwards. */
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'slipway-test-'));
  afterAll(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
