import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { openArchive, type ArchiveOptions } from '../../../builder/debian/archive.ts';
import { DEBIAN_ARCHIVE_KEYS } from '../../../builder/debian/keyring/debian-archive.ts';
import { useEmptyCache } from './cache.ts';
import { startRepository, type TestRepository } from './repository.ts';

let repository: TestRepository;
beforeAll(async () => {
  repository = await startRepository();
  await repository.publish('trixie', [
    { name: 'both', version: '1.0' },
    { name: 'main', fields: { Provides: 'virtual (= 1), other' } },
  ]);
  await repository.publish('trixie-security', [{ name: 'both', version: '1.0+deb13u1' }]);
}, 60_000);
afterAll(() => repository.close());
useEmptyCache();
beforeEach(() => repository.faults.clear());

function options(more: Partial<ArchiveOptions> = {}): ArchiveOptions {
  const mirrors = { main: [repository.address], security: [repository.address] };
  return {
    mirrors,
    suites: ['trixie', 'trixie-security'],
    architecture: 'amd64',
    keys: repository.keys,
    ...more,
  };
}

test('the newest version of all suites is taken, security updates included', async () => {
  const archive = await openArchive(options());
  expect(archive.find('both')?.suite).toBe('trixie-security');
  expect(archive.find('both')?.fields.get('Version')).toBe('1.0+deb13u1');
  expect(archive.find('main')?.suite).toBe('trixie');
  expect(archive.find('absent')).toBeUndefined();
  expect(archive.providers('virtual')).toEqual(['main']);
  expect(archive.epoch).toBe(Date.UTC(2026, 0, 1) / 1000);
});

test('an archive that other keys signed is refused', async () => {
  await expect(openArchive(options({ keys: DEBIAN_ARCHIVE_KEYS }))).rejects.toMatchObject({
    code: 'debian.update-failed',
    message: expect.stringMatching(/not signed|NO_PUBKEY|public key is not available|Missing key/) as string,
  });
});

test('an index that is not what the signed Release says is refused', async () => {
  repository.faults.set('dists/trixie/main/binary-amd64/Packages', { status: 404 });
  await expect(openArchive(options())).rejects.toMatchObject({ code: 'debian.update-failed' });
});

test('without a network: a clear error', async () => {
  const mirrors = { main: ['http://mirror.invalid'], security: ['http://mirror.invalid'] };
  await expect(openArchive(options({ mirrors }))).rejects.toMatchObject({
    code: 'debian.update-failed',
    hint: expect.stringContaining('network') as string,
  });
});

test('two at once on one state directory are both right', async () => {
  const archives = await Promise.all([openArchive(options()), openArchive(options())]);
  for (const archive of archives) expect(archive.find('both')?.suite).toBe('trixie-security');
});
