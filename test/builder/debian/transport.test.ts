import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { openArchive } from '../../../builder/debian/archive.ts';
import { closePackages } from '../../../builder/debian/closure.ts';
import { fetchPackage } from '../../../builder/debian/fetch.ts';
import { needsApt } from '../../../builder/debian/transport.ts';
import { lockedPackage } from '../../../builder/lock/resolve.ts';
import type { Mirrors } from '../../../builder/debian/mirror.ts';
import { useEmptyCache } from './cache.ts';
import { startRepository, type TestRepository } from './repository.ts';

let repository: TestRepository;
beforeAll(async () => {
  repository = await startRepository();
  await repository.publish('trixie', [{ name: 'sample', version: '1:1.0+dfsg~1-1' }]);
}, 60_000);
afterAll(() => repository.close());
afterEach(() => {
  vi.unstubAllEnvs();
});
useEmptyCache();

/** Index and package through one mirror; the package's bytes are checked against the index. */
async function fetchThrough(mirror: string): Promise<void> {
  const mirrors: Mirrors = { main: [mirror], security: [mirror] };
  const archive = await openArchive({
    mirrors,
    suites: ['trixie'],
    architecture: 'amd64',
    keys: repository.keys,
  });
  const [locked] = closePackages(archive, ['sample']).map(lockedPackage);
  if (locked === undefined) throw new Error('nothing found');
  const path = await fetchPackage(locked, { mirrors: () => Promise.resolve(mirrors) });
  expect(
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex'),
  ).toBe(locked.sha256);
}

test('a mirror in a folder', async () => {
  const before = repository.requests.length;
  await fetchThrough(`file:${join(repository.folder, 'archive')}`);
  await fetchThrough(`file://${join(repository.folder, 'archive')}`);
  expect(repository.requests).toHaveLength(before);
});

test('a mirror behind a proxy is fetched by apt, which knows proxies', async () => {
  vi.stubEnv('http_proxy', repository.address);
  await fetchThrough('http://mirror.invalid');
  expect(repository.requests.some((request) => request.includes('pool/sample/'))).toBe(true);
});

test('behind a proxy, too, a package that is gone is told as such', async () => {
  vi.stubEnv('http_proxy', repository.address);
  const locked = {
    name: 'gone',
    version: '1',
    architecture: 'amd64',
    suite: 'trixie',
    filename: 'pool/gone.deb',
    sizeBytes: 1,
    sha256: 'a'.repeat(64),
    depends: [],
    source: 'gone',
  } as const;
  const mirrors = { main: ['http://mirror.invalid'], security: [] };
  await expect(
    fetchPackage({ ...locked, depends: [] }, { mirrors: () => Promise.resolve(mirrors) }),
  ).rejects.toMatchObject({ code: 'debian.package-gone' });
});

describe('what is left to apt', () => {
  test.each([
    ['http://mirror.invalid/debian', [], false],
    ['https://mirror.invalid/debian', ['Acquire::Retries "3";'], false],
    ['file:/srv/debian', ['Acquire::http::Proxy "http://proxy.invalid";'], false],
    ['http://mirror.invalid/debian', ['Acquire::http::Proxy "http://proxy.invalid";'], true],
    ['https://mirror.invalid/debian', ['Acquire::https::mirror.invalid::SslCert "/c";'], true],
    ['tor+http://mirror.invalid/debian', [], true],
  ] as const)('%s with %j: %s', (address, settings, expected) => {
    for (const name of ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'])
      vi.stubEnv(name, '');
    expect(needsApt(address, settings)).toBe(expected);
  });
});
