import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { cacheRoot } from '../../../builder/cache/directory.ts';
import { machineArchitecture } from '../../../builder/lock/resolve.ts';
import { labPackages } from '../../../builder/tools/packages.ts';
import { openLab } from '../../../builder/tools/toolbox.ts';
import { useSharedCache } from '../debian/cache.ts';
import { startRepository, type TestRepository } from '../debian/repository.ts';

let repository: TestRepository;
useSharedCache();
beforeAll(async () => {
  repository = await startRepository();
  await writeFile(join(repository.folder, 'keys.asc'), repository.keys);
  vi.stubEnv('SLIPWAY_ARCHIVE_KEYS', join(repository.folder, 'keys.asc'));
  for (const suite of ['trixie-updates', 'trixie-security'])
    await repository.publish(suite, [], machineArchitecture());
  await publish('1.0');
}, 60_000);
afterAll(async () => {
  vi.unstubAllEnvs();
  await repository.close();
});

/** QEMU and its company, all of one version; files differ, so that hashes do. */
function publish(version: string): Promise<void> {
  const packages = labPackages('amd64').map((name) => ({
    name,
    version,
    architecture: machineArchitecture(),
    files: { [`/usr/share/${name}`]: version },
  }));
  return repository.publish('trixie', packages, machineArchitecture());
}

const online = {
  mirrors: () => Promise.resolve({ main: [repository.address], security: [repository.address] }),
};
const offline = { mirrors: () => Promise.reject(new Error('a mirror was asked for')) };

test('the lab is resolved at first use, and needs no network afterwards', async () => {
  const first = await openLab('amd64', online);
  expect(first.file('/usr/share/ovmf')).toContain(first.root);
  const again = await openLab('amd64', offline);
  expect(again.root).toBe(first.root);
});

test('newer versions are taken only when the old ones are gone from mirror and cache', async () => {
  const first = await openLab('amd64', online);
  await publish('2.0');
  expect((await openLab('amd64', online)).id).toBe(first.id);

  await rm(join(cacheRoot(), 'objects'), { recursive: true });
  await rm(join(cacheRoot(), 'tools'), { recursive: true });
  await rm(join(repository.folder, 'archive/pool'), { recursive: true });
  await publish('2.0');
  const renewed = await openLab('amd64', online);
  expect(renewed.id).not.toBe(first.id);
  expect((await openLab('amd64', offline)).id).toBe(renewed.id);
});
