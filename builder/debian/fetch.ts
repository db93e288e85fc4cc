/** Locked packages -> files in the cache, verified. */
import { statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { cacheRoot, publish, removeAbandoned, temporaryName } from '../cache/directory.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import { download } from './download.ts';
import { DownloadError, type DownloadFault } from './download-fault.ts';
import { isDiskFull } from './disk-full.ts';
import { fetchFailure, type FetchFailure } from './fetch-failure.ts';
import { mirrorsOf, type Mirrors } from './mirror.ts';

export interface FetchContext {
  /** Asked only when something is missing in the cache and in `inputs`, so that a full cache needs none. */
  readonly mirrors: () => Promise<Mirrors>;
  /** Content-addressed folders or addresses (`<input>/sha256/xx/<sha256>`), tried before the mirror. */
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
  return join(cacheRoot(), 'objects', objectName(sha256));
}

/** Where an input with this hash lies below a content-addressed folder. */
export function objectName(sha256: string): string {
  return join('sha256', sha256.slice(0, 2), sha256);
}

/** Path of the .deb in the cache. */
export async function fetchPackage(locked: LockedPackage, context: FetchContext): Promise<string> {
  await fetchPackages([locked], context);
  return objectPath(locked.sha256);
}

/**
 * Fetches what the cache lacks, four at a time; paths in the order asked for. Throws `debian.package-gone`, `debian.package-changed`,
 * `debian.unreachable` or `cache.disk-full`, naming every package concerned.
 */
export async function fetchPackages(
  packages: readonly LockedPackage[],
  context: FetchContext,
): Promise<readonly string[]> {
  const missing = [...new Map(packages.map((item) => [item.sha256, item])).values()].filter(
    (item) => !isCached(item),
  );
  if (missing.length > 0) await fetchMissing(missing, context);
  return packages.map((item) => objectPath(item.sha256));
}

/** The name is only given to verified files; a machine that lost power may still have cut one short. */
function isCached({ sha256, sizeBytes }: LockedPackage): boolean {
  return statSync(objectPath(sha256), { throwIfNoEntry: false })?.size === sizeBytes;
}

const PARALLEL = 4;

async function fetchMissing(missing: readonly LockedPackage[], context: FetchContext): Promise<void> {
  await mkdir(partialFolder(), { recursive: true });
  await removeAbandoned(partialFolder());
  const totalBytes = missing.reduce((sum, item) => sum + item.sizeBytes, 0);
  let fetchedBytes = 0;
  let mirrors: Promise<Mirrors> | undefined;
  const once: FetchContext = { ...context, mirrors: () => (mirrors ??= context.mirrors()) };
  const failures: FetchFailure[] = [];
  // Large ones first, so that none is left over at the end.
  const queue = [...missing].sort((a, b) => b.sizeBytes - a.sizeBytes);
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      const { name } = item;
      const fault = await fetchOne(item, once, (bytes) => {
        fetchedBytes += bytes;
        context.progress?.({ fetchedBytes, totalBytes, name });
      });
      if (fault === undefined) continue;
      failures.push({ locked: item, fault });
      // Without a network the others need not be tried; packages that are gone are all named.
      if (fault.kind === 'unreachable' || fault.kind === 'disk-full') queue.length = 0;
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  if (failures.length > 0) throw fetchFailure(failures);
}

/** Every address is tried; the worst that can be said of them is returned. */
async function fetchOne(
  locked: LockedPackage,
  context: FetchContext,
  count: (bytes: number) => void,
): Promise<FetchFailure['fault'] | undefined> {
  const path = objectPath(locked.sha256);
  const faults: DownloadFault[] = [];
  const attempt = async (address: string): Promise<boolean> => {
    const temporary = temporaryName(join(partialFolder(), locked.sha256));
    let counted = 0;
    try {
      await download(address, temporary, locked, (bytes) => count(((counted += bytes), bytes)));
      await mkdir(dirname(path), { recursive: true });
      await publish(temporary, path);
      return true;
    } catch (error) {
      count(-counted);
      if (!(error instanceof DownloadError)) throw error;
      faults.push(error.fault);
      return false;
    }
  };
  try {
    for (const input of context.inputs ?? []) {
      if (await attempt(`${input.replace(/\/+$/, '')}/${objectName(locked.sha256)}`)) return undefined;
    }
    // A folder that lacks the file says nothing; one that holds another under its name does.
    faults.splice(0, faults.length, ...faults.filter((fault) => fault.kind !== 'absent'));
    for (const mirror of mirrorsOf(await context.mirrors(), locked.suite)) {
      if (await attempt(`${mirror}/${locked.filename}`)) return undefined;
    }
  } catch (error) {
    if (isDiskFull(error)) return { kind: 'disk-full' };
    throw error;
  }
  return (
    faults.find((fault) => fault.kind === 'changed') ??
    faults.find((fault) => fault.kind === 'unreachable') ?? { kind: 'absent' }
  );
}

function partialFolder(): string {
  return join(cacheRoot(), 'objects', 'partial');
}
