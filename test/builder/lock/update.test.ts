import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { formatChanges } from '../../../builder/lock/changes.ts';
import { updateLock, type LockUpdate } from '../../../builder/lock/update.ts';
import { vendorInputs } from '../../../builder/lock/vendor.ts';
import { fetchPackages, objectName } from '../../../builder/debian/fetch.ts';
import { cacheRoot } from '../../../builder/cache/directory.ts';
import { useEmptyCache } from '../debian/cache.ts';
import type { TestRepository } from '../debian/repository.ts';
import { imageOf } from './image.ts';
import { startSmallArchive } from './small-archive.ts';

let repository: TestRepository;
let folder: string;
beforeAll(async () => {
  repository = await startSmallArchive();
}, 60_000);
afterAll(() => repository.close());
useEmptyCache();
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-update-'));
});
afterEach(() => rm(folder, { recursive: true }));

const mirrors = (): { main: string[]; security: string[] } => ({
  main: [repository.address],
  security: [repository.address],
});

function update(packages: readonly string[]): Promise<LockUpdate> {
  const image = imageOf({ file: join(folder, 'image.yaml'), packages });
  return updateLock(image, { mirrors: mirrors(), keys: repository.keys, buildArchitecture: 'amd64' });
}

test('what changed is told, old -> new; what did not change leaves the file alone', async () => {
  const first = await update(['daemon']);
  expect(first.created).toBe(true);
  const text = await readFile(first.path, 'utf8');

  const same = await update(['daemon']);
  expect(same).toMatchObject({ created: false, changes: [] });
  expect(await readFile(first.path, 'utf8')).toBe(text);

  const more = await update(['daemon-data']);
  expect(formatChanges(more.changes).split('\n')).toEqual([
    'removed  daemon       1:10.0p1-7',
    'added    daemon-data  1.0',
    'removed  libdb5.3t64  1.0',
    'removed  libssl3t64   3.5.1-1+deb13u1',
    'removed  libwtmp0     1.0',
  ]);

  await repository.publish('trixie-updates', [
    { name: 'daemon-data', version: '1.1', architecture: 'all' },
    {
      name: 'linux-image-cloud-amd64',
      version: '2',
      fields: { Depends: 'linux-image-6.12.2+deb13-cloud-amd64' },
    },
    { name: 'linux-image-6.12.2+deb13-cloud-amd64', version: '2' },
  ]);
  const newer = await update(['daemon-data']);
  expect(newer.changes).toEqual([
    { section: 'packages', change: 'updated', name: 'daemon-data', from: '1.0', to: '1.1' },
    { section: 'packages', change: 'updated', name: 'linux-image-cloud-amd64', from: '1.0', to: '2' },
  ]);
  await repository.publish('trixie-updates', []);
});

test('a damaged lock is written anew', async () => {
  await writeFile(join(folder, 'image.lock'), '{ "format": ');
  const { created, path } = await update(['daemon']);
  expect(created).toBe(true);
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ format: '1.0' });
});

test('vendored inputs build without a mirror, even when it dropped them', async () => {
  const { lock } = await update(['daemon']);
  const vendor = join(folder, 'vendor');
  const result = await vendorInputs(lock, vendor, { mirrors: () => Promise.resolve(mirrors()) });
  expect(result.added).toBe(result.inputs);
  for (const { sha256, sizeBytes } of [...lock.packages, ...lock.tools]) {
    expect((await stat(join(vendor, objectName(sha256)))).size).toBe(sizeBytes);
  }
  expect(
    (await vendorInputs(lock, vendor, { mirrors: () => Promise.reject(new Error('asked')) })).added,
  ).toBe(0);

  await rm(join(cacheRoot(), 'objects'), { recursive: true });
  const nowhere = { mirrors: () => Promise.reject(new Error('asked')), inputs: [vendor] };
  for (const path of await fetchPackages([...lock.packages, ...lock.tools], nowhere))
    expect(existsSync(path)).toBe(true);
});
