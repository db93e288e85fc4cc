import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { cacheRoot } from '../../../builder/cache/directory.ts';
import {
  fetchPackage,
  fetchPackages,
  objectName,
  objectPath,
  type FetchContext,
} from '../../../builder/debian/fetch.ts';
import type { LockedPackage } from '../../../builder/lock/lock-file.ts';
import { run } from '../../../builder/process/run.ts';
import { useEmptyCache } from './cache.ts';
import { buildPackage, startRepository, type TestRepository } from './repository.ts';

let repository: TestRepository;
let locked: LockedPackage[];

beforeAll(async () => {
  repository = await startRepository();
  locked = [];
  for (let i = 0; i < 6; i++) locked.push(await serve(`package${i}`, 200_000 + i));
});
afterAll(() => repository.close());
useEmptyCache();
beforeEach(() => {
  repository.faults.clear();
  repository.requests.length = 0;
});

async function serve(name: string, sizeBytes: number): Promise<LockedPackage> {
  // Incompressible, so that the .deb has about this size.
  const content = Array.from({ length: sizeBytes / 32 }, (_, i) =>
    createHash('sha256').update(`${name}${i}`).digest('base64'),
  );
  const folder = join(repository.folder, 'archive/pool', name);
  const path = await buildPackage(folder, { name, files: { '/usr/share/data': content.join('') } });
  const bytes = await readFile(path);
  return {
    name,
    version: '1.0',
    architecture: 'amd64',
    suite: 'trixie',
    filename: `pool/${name}/${basename(path)}`,
    sizeBytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
    depends: [],
    source: name,
  };
}

function context(more: Partial<FetchContext> = {}): FetchContext {
  return {
    mirrors: () => Promise.resolve({ main: [repository.address], security: [repository.address] }),
    ...more,
  };
}

/** Where nobody listens. */
async function closedAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return `http://127.0.0.1:${port}`;
}

const first = (): LockedPackage => locked[0] as LockedPackage;
const digestOf = async (path: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
const partial = (): Promise<string[]> => readdir(join(cacheRoot(), 'objects/partial')).catch(() => []);

test('packages come into the cache under their hash, with progress, and once', async () => {
  const seen: number[] = [];
  let total = 0;
  const paths = await fetchPackages(
    locked,
    context({
      progress: (now) => {
        seen.push(now.fetchedBytes);
        total = now.totalBytes;
      },
    }),
  );
  for (const [place, path] of paths.entries()) expect(await digestOf(path)).toBe(locked[place]?.sha256);
  expect(total).toBe(locked.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  expect(seen.at(-1)).toBe(total);
  const requests = repository.requests.length;
  expect(requests).toBe(locked.length);
  await fetchPackages(locked, context());
  expect(repository.requests).toHaveLength(requests);
  expect(await partial()).toEqual([]);
});

test('a full cache needs neither a mirror nor a network', async () => {
  await fetchPackages(locked, context());
  const none = (): never => {
    throw new Error('a mirror was asked for');
  };
  await expect(fetchPackages(locked, { mirrors: none })).resolves.toHaveLength(locked.length);
});

test('no network and no cache: an error that says why and what to do', async () => {
  const nobody = context({ mirrors: async () => ({ main: [await closedAddress()], security: [] }) });
  await expect(fetchPackages(locked, nobody)).rejects.toMatchObject({
    code: 'debian.unreachable',
    message: expect.stringMatching(
      /package\d 1\.0.* is not in the cache and cannot be fetched: the mirror refuses the connection/,
    ) as string,
    hint: expect.stringContaining('network') as string,
  });
  expect(await partial()).toEqual([]);
}, 20_000);

test('an unknown host name is told without a stack of causes', async () => {
  const nobody = context({
    mirrors: () => Promise.resolve({ main: ['http://mirror.invalid'], security: [] }),
  });
  await expect(fetchPackage(first(), nobody)).rejects.toMatchObject({
    code: 'debian.unreachable',
    message: expect.stringMatching(/name (is unknown|cannot be looked up)|answers/) as string,
  });
}, 20_000);

test('packages that the mirror dropped are all named, with the remedy', async () => {
  for (const item of locked.slice(1, 4)) repository.faults.set(item.filename, { status: 404 });
  await expect(fetchPackages(locked, context())).rejects.toMatchObject({
    code: 'debian.package-gone',
    message: 'the mirror no longer holds package1 1.0, package2 1.0, package3 1.0, which the lock names',
    hint: expect.stringContaining('slipway lock') as string,
  });
  // What could be fetched is kept.
  expect(existsSync(objectPath(first().sha256))).toBe(true);
});

describe('another file under the same name', () => {
  test.each([
    ['of the same size', 0],
    ['longer', 1],
    ['shorter', -1],
  ])(
    '%s',
    async (_, difference) => {
      const other: LockedPackage = {
        ...first(),
        sha256: 'ab'.repeat(32),
        sizeBytes: first().sizeBytes - difference,
      };
      await expect(fetchPackage(other, context())).rejects.toMatchObject({
        code: 'debian.package-changed',
      });
      expect(existsSync(objectPath(other.sha256))).toBe(false);
      expect(await partial()).toEqual([]);
    },
    20_000,
  );
});

test('a connection that breaks is taken up where it broke', async () => {
  repository.faults.set(first().filename, { breakAfter: 70_000, times: 2 });
  const path = await fetchPackage(first(), context());
  expect(await digestOf(path)).toBe(first().sha256);
  expect(repository.requests).toHaveLength(3);
  expect(repository.requests[1]).toMatch(/bytes=\d{4,}-$/);
});

test('inputs are tried by hash before the mirror, and a mirror need not exist then', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-inputs-'));
  try {
    await fetchPackages(locked, context());
    for (const { sha256 } of locked) {
      await mkdir(dirname(join(folder, objectName(sha256))), { recursive: true });
      await copyFile(objectPath(sha256), join(folder, objectName(sha256)));
    }
    await rm(join(cacheRoot(), 'objects'), { recursive: true });
    repository.requests.length = 0;
    const none = (): never => {
      throw new Error('a mirror was asked for');
    };
    await fetchPackages(locked, { mirrors: none, inputs: ['/nonexistent', folder] });
    expect(repository.requests).toEqual([]);
    expect(await digestOf(objectPath(first().sha256))).toBe(first().sha256);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('an input with wrong content is not taken; the mirror serves instead', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-inputs-'));
  try {
    await mkdir(dirname(join(folder, objectName(first().sha256))), { recursive: true });
    await writeFile(join(folder, objectName(first().sha256)), 'something else');
    expect(await digestOf(await fetchPackage(first(), context({ inputs: [folder] })))).toBe(first().sha256);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('two at once in one cache are both right', async () => {
  const [one, two] = await Promise.all([fetchPackages(locked, context()), fetchPackages(locked, context())]);
  expect(one).toEqual(two);
  for (const [place, path] of one.entries()) expect(await digestOf(path)).toBe(locked[place]?.sha256);
  expect(await partial()).toEqual([]);
});

test('what an interrupted process left is cleared away after a day', async () => {
  const folder = join(cacheRoot(), 'objects/partial');
  await mkdir(folder, { recursive: true });
  for (const name of ['old.tmp', 'young.tmp']) await writeFile(join(folder, name), 'x');
  await utimes(join(folder, 'old.tmp'), 0, Date.now() / 1000 - 2 * 86_400);
  await fetchPackage(first(), context());
  expect(await partial()).toEqual(['young.tmp']);
});

test.runIf(process.getuid?.() === 0)(
  'a full disk is told as such, and leaves nothing half-written',
  async () => {
    const folder = join(cacheRoot(), 'small');
    await mkdir(folder);
    await run(['mount', '-t', 'tmpfs', '-o', 'size=512k', 'none', folder]);
    const before = process.env['SLIPWAY_CACHE'];
    process.env['SLIPWAY_CACHE'] = folder;
    try {
      await expect(fetchPackages(locked, context())).rejects.toMatchObject({
        code: 'cache.disk-full',
        hint: expect.stringContaining('SLIPWAY_CACHE') as string,
      });
      expect(await partial()).toEqual([]);
      for (const { sha256 } of locked) {
        if (existsSync(objectPath(sha256))) expect(await digestOf(objectPath(sha256))).toBe(sha256);
      }
    } finally {
      process.env['SLIPWAY_CACHE'] = before;
      await run(['umount', folder]);
    }
  },
);
