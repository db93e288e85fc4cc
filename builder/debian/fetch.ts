/** Locked packages -> files in the cache, verified. */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { mkdir, open, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { SlipwayError } from '../../spec/error.ts';
import { cacheRoot, publish, temporaryName } from '../cache/directory.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import { mirrorsOf, type Mirrors } from './mirror.ts';

export interface FetchContext {
  /** Asked only when something is missing in the cache, so that a full cache needs none. */
  readonly mirrors: () => Promise<Mirrors>;
  /** Content-addressed folders or addresses, tried by SHA-256 before the mirror. */
  readonly inputs?: readonly string[];
  readonly progress?: (progress: FetchProgress) => void;
}

export interface FetchProgress {
  readonly fetchedBytes: number;
  readonly totalBytes: number;
  readonly name: string;
}

/** Where an input with this hash lies in the cache. */
export function objectPath(sha256: string): string {
  return join(cacheRoot(), 'objects', 'sha256', sha256.slice(0, 2), sha256);
}

/** Path of the .deb in the cache. */
export async function fetchPackage(locked: LockedPackage, context: FetchContext): Promise<string> {
  const [path] = await fetchPackages([locked], context);
  if (path === undefined) throw new Error('fetchPackages returned nothing');
  return path;
}

/** Fetches what the cache lacks, four at a time; paths in the order asked for. */
export async function fetchPackages(
  packages: readonly LockedPackage[],
  context: FetchContext,
): Promise<readonly string[]> {
  const missing = [...new Map(packages.map((item) => [item.sha256, item])).values()].filter(
    (item) => !existsSync(objectPath(item.sha256)),
  );
  const totalBytes = missing.reduce((sum, item) => sum + item.sizeBytes, 0);
  let fetchedBytes = 0;
  const queue = [...missing];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const { name } = item;
      await fetchOne(item, context, (bytes) => {
        fetchedBytes += bytes;
        context.progress?.({ fetchedBytes, totalBytes, name });
      });
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, queue.length) }, worker));
  return packages.map((item) => objectPath(item.sha256));
}

const PARALLEL = 4;

async function fetchOne(
  locked: LockedPackage,
  context: FetchContext,
  count: (bytes: number) => void,
): Promise<void> {
  const path = objectPath(locked.sha256);
  await mkdir(dirname(path), { recursive: true });
  const reasons: string[] = [];
  for (const address of await addressesOf(locked, context)) {
    const temporary = temporaryName(path);
    try {
      await download(address, temporary, locked, count);
      await publish(temporary, path);
      return;
    } catch (error) {
      await rm(temporary, { force: true });
      reasons.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new SlipwayError('debian.fetch-failed', `${locked.name} ${locked.version}: ${reasons.join('; ')}`, {
    hint: "lock anew with `slipway lock`, or give the file through the image's `inputs`",
  });
}

async function addressesOf(locked: LockedPackage, context: FetchContext): Promise<readonly string[]> {
  const below = `sha256/${locked.sha256.slice(0, 2)}/${locked.sha256}`;
  const inputs = (context.inputs ?? []).map((input) => `${input.replace(/\/+$/, '')}/${below}`);
  const mirrors = mirrorsOf(await context.mirrors(), locked.suite);
  return [...inputs, ...mirrors.map((mirror) => `${mirror}/${locked.filename}`)];
}

async function download(
  address: string,
  temporary: string,
  locked: LockedPackage,
  count: (bytes: number) => void,
): Promise<void> {
  const hash = createHash('sha256');
  const handle = await open(temporary, 'wx');
  try {
    let sizeBytes = 0;
    for await (const chunk of await openAddress(address)) {
      const bytes = chunk as Uint8Array;
      hash.update(bytes);
      sizeBytes += bytes.length;
      if (sizeBytes > locked.sizeBytes) throw new Error('it is larger than the lock says');
      await handle.writeFile(bytes);
      count(bytes.length);
    }
    if (hash.digest('hex') !== locked.sha256) throw new Error('its SHA-256 is not the one in the lock');
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function openAddress(address: string): Promise<AsyncIterable<unknown>> {
  if (!/^https?:/.test(address)) return createReadStream(address.replace(/^file:(\/\/)?/, ''));
  const response = await fetch(address);
  if (!response.ok || response.body === null) throw new Error(`the mirror answers ${response.status}`);
  return Readable.fromWeb(response.body);
}
