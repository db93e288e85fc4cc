import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatLock, parseLock, type LockFile, type LockedPackage } from '../../../builder/lock/lock-file.ts';
import { resolveLock, type ResolveOptions } from '../../../builder/lock/resolve.ts';
import { lockStaleness } from '../../../builder/lock/stale.ts';
import type { ImageDefinition } from '../../../spec/image.ts';
import { useSharedCache } from '../debian/cache.ts';
import type { TestRepository } from '../debian/repository.ts';
import { imageOf } from './image.ts';
import { startSmallArchive } from './small-archive.ts';

let repository: TestRepository;
let lock: LockFile;
useSharedCache();
beforeAll(async () => {
  repository = await startSmallArchive();
  lock = await resolve(imageOf({ packages: ['daemon', 'daemon-data'] }));
}, 60_000);
afterAll(() => repository.close());

function resolve(image: ImageDefinition): Promise<LockFile> {
  const options: ResolveOptions = {
    mirrors: { main: [repository.address], security: [repository.address] },
    keys: repository.keys,
    buildArchitecture: 'amd64',
  };
  return resolveLock(image, options);
}

function find(list: readonly LockedPackage[], name: string): LockedPackage {
  const found = list.find((item) => item.name === name);
  if (found === undefined) throw new Error(`${name} is not locked`);
  return found;
}

describe('a service with libraries', () => {
  test('draws in libraries, through old names, alternatives and virtual packages, and nothing else', () => {
    expect(find(lock.packages, 'daemon')).toMatchObject({
      version: '1:10.0p1-7',
      suite: 'trixie',
      architecture: 'amd64',
      source: 'daemon',
      filename: 'pool/daemon/daemon_10.0p1-7_amd64.deb',
      depends: ['libc6', 'libdb5.3t64', 'libssl3t64', 'libwtmp0'],
    });
    const names = lock.packages.map(({ name }) => name);
    expect(names).toEqual(
      expect.arrayContaining(['libc6', 'libgcc-s1', 'libdb5.3t64', 'libssl3t64', 'libwtmp0']),
    );
    for (const other of ['perl', 'libperl5.40']) expect(names).not.toContain(other);
    expect(names).toEqual([...names].sort());
  });

  test('security updates win, and name the archive that they come from', () => {
    expect(find(lock.packages, 'libssl3t64')).toMatchObject({
      version: '3.5.1-1+deb13u1',
      suite: 'trixie-security',
    });
  });

  test('the source package is told without its version', () => {
    expect(find(lock.packages, 'libgcc-s1').source).toBe('gcc-14');
  });

  test('packages for every architecture serve any', () => {
    expect(find(lock.packages, 'daemon-data').architecture).toBe('all');
  });
});

test('a kernel meta package stands for the kernel of the day', () => {
  expect(lock.requested).toMatchObject({
    kernel: 'linux-image-cloud-amd64',
    kernelResolved: 'linux-image-6.12.1+deb13-cloud-amd64',
  });
  expect(lock.packages.map(({ name }) => name)).not.toContain('linux-image-cloud-amd64');
});

test('only the boot loader comes from the newer suite', () => {
  expect(lock.tools.filter(({ suite }) => suite === 'forky').map(({ name }) => name)).toEqual([
    'systemd-boot-efi',
  ]);
  expect(lock.packages.every(({ suite }) => suite !== 'forky')).toBe(true);
});

test('packages that do not exist are all named; virtual ones with what provides them', async () => {
  await expect(
    resolve(imageOf({ packages: ['daemon', 'dameon', 'libdb5.3', 'nothing'] })),
  ).rejects.toMatchObject({
    code: 'debian.unknown-package',
    message: 'the archive has no package dameon, libdb5.3, nothing for amd64',
    hint: 'libdb5.3 is a virtual package: name one of libdb5.3t64',
  });
});

test('the same archive gives the same text, which names no host', async () => {
  const [one, two] = [lock, await resolve(imageOf({ packages: ['daemon', 'daemon-data'] }))].map(formatLock);
  expect(one).toBe(two);
  expect(one).not.toContain('127.0.0.1');
  expect(formatLock(parseLock('x.lock', one ?? ''))).toBe(one);
});

test('a lock fits its definition, and says what does not', () => {
  expect(lockStaleness(imageOf({ packages: ['daemon'] }), lock)).toEqual([]);
  // A profile may be off.
  expect(lockStaleness(imageOf(), lock)).toEqual([]);
  expect(
    lockStaleness(imageOf({ packages: ['daemon', 'nano'], architecture: 'arm64', kernel: 'other' }), lock),
  ).toEqual([
    'the lock is for architecture amd64, the definition says arm64',
    'the lock is for kernel package linux-image-cloud-amd64, the definition says other',
    'package nano is not locked',
  ]);
  expect(
    lockStaleness(imageOf(), { ...lock, tools: lock.tools.filter(({ name }) => name !== 'mtools') }),
  ).toEqual(['build tool mtools is not locked']);
});
