import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { lockCommand } from '../../cli/lock.ts';
import { useSharedCache } from '../builder/debian/cache.ts';
import type { TestRepository } from '../builder/debian/repository.ts';
import { startSmallArchive } from '../builder/lock/small-archive.ts';

let repository: TestRepository;
let folder: string;
let image: string;
useSharedCache();
beforeAll(async () => {
  repository = await startSmallArchive();
  folder = await mkdtemp(join(tmpdir(), 'slipway-cli-'));
  image = join(folder, 'host.yaml');
  await writeFile(join(folder, 'keys.asc'), repository.keys);
  await writeFile(image, 'name: host\nversion: 1.0.0\nhost:\n  packages: [daemon]\n');
  vi.stubEnv('SLIPWAY_MIRROR', repository.address);
  vi.stubEnv('SLIPWAY_SECURITY_MIRROR', repository.address);
  vi.stubEnv('SLIPWAY_ARCHIVE_KEYS', join(folder, 'keys.asc'));
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
  await repository.close();
});

/** Standard output of `slipway lock ARGS`. */
async function lock(...args: string[]): Promise<string> {
  const output: string[] = [];
  const stdout = vi
    .spyOn(process.stdout, 'write')
    .mockImplementation((text) => output.push(String(text)) > 0);
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  try {
    await lockCommand().exitOverride().parseAsync(args, { from: 'user' });
  } finally {
    stdout.mockRestore();
    stderr.mockRestore();
  }
  return output.join('');
}

test('first lock, no change, a new version, and the same as JSON', async () => {
  expect(await lock(image)).toMatch(/host\.lock: written anew \(\d+ packages, \d+ of build tools\)\n$/);
  expect(await lock(image)).toMatch(/host\.lock is up to date/);
  await repository.publish('trixie-updates', [{ name: 'daemon', version: '1:10.0p1-8' }]);
  expect(await lock(image)).toMatch(/^updated {2}daemon +1:10\.0p1-7 -> 1:10\.0p1-8\n/);
  const report = JSON.parse(await lock(image, '--json')) as Record<string, unknown>;
  expect(report).toMatchObject({ lock: join(folder, 'host.lock'), changes: [], vendored: null });
});

test('the lock names no host, and every input comes into the vendor folder', async () => {
  const text = await lock(image, '--vendor', join(folder, 'vendor'));
  expect(text).toMatch(/vendor: \d+ inputs, [\d.]+ MB, \d+ of them new\n$/);
  const content = await readFile(join(folder, 'host.lock'), 'utf8');
  expect(content).not.toMatch(/https?:|127\.0\.0\.1/);
});

test('faults of the image definition come before any network', async () => {
  const broken = join(folder, 'broken.yaml');
  await writeFile(broken, 'name: 5\n');
  const before = repository.requests.length;
  await expect(lock(broken)).rejects.toMatchObject({ code: 'input.invalid' });
  expect(repository.requests).toHaveLength(before);
});
