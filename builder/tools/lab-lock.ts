/** The lab's own lock: resolved at first use and kept in the cache, so that it works without a network afterwards. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Architecture } from '../../spec/image.ts';
import { cacheRoot, writeFileAtomic } from '../cache/directory.ts';
import { openArchive } from '../debian/archive.ts';
import { closePackages } from '../debian/closure.ts';
import type { FetchContext } from '../debian/fetch.ts';
import type { LockedPackage } from '../lock/lock-file.ts';
import { lockedPackage, machineArchitecture, suitesOf } from '../lock/resolve.ts';
import { LAB_SUITE, labPackages } from './packages.ts';

/** `machine`: what is to be booted. `renew`: because the mirror dropped something that the cache no longer holds. */
export async function labLock(
  machine: Architecture,
  context: FetchContext,
  how: 'keep' | 'renew',
): Promise<readonly LockedPackage[]> {
  const architecture = machineArchitecture();
  const names = labPackages(machine);
  const path = join(cacheRoot(), 'lab', `${machine}-on-${architecture}.lock`);
  const known = how === 'keep' ? await readKept(path) : undefined;
  if (known !== undefined && JSON.stringify(known.names) === JSON.stringify(names)) return known.packages;
  const archive = await openArchive({
    mirrors: await context.mirrors(),
    suites: suitesOf(LAB_SUITE),
    architecture,
  });
  const packages = closePackages(archive, names).map(lockedPackage);
  await writeFileAtomic(path, `${JSON.stringify({ names, packages }, undefined, 2)}\n`);
  return packages;
}

async function readKept(
  path: string,
): Promise<{ names: readonly string[]; packages: LockedPackage[] } | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as {
      names: readonly string[];
      packages: LockedPackage[];
    };
  } catch {
    return undefined;
  }
}
