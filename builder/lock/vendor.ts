/** Copies of all locked inputs in a folder that `inputs:` can name, because a mirror keeps only the newest of everything. */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { publish, temporaryName } from '../cache/directory.ts';
import { fetchPackages, objectName, type FetchContext } from '../debian/fetch.ts';
import type { LockFile } from './lock-file.ts';

export interface VendorResult {
  readonly folder: string;
  /** How many inputs the lock names, and how many of them were not there yet. */
  readonly inputs: number;
  readonly added: number;
  readonly sizeBytes: number;
}

/** Fills `<folder>/sha256/xx/<sha256>`. What is there already, of this or another lock, stays. */
export async function vendorInputs(
  lock: LockFile,
  folder: string,
  context: FetchContext,
): Promise<VendorResult> {
  const packages = [
    ...new Map([...lock.packages, ...lock.tools].map((item) => [item.sha256, item])).values(),
  ];
  const missing = packages.filter(({ sha256 }) => !existsSync(join(folder, objectName(sha256))));
  const paths = await fetchPackages(missing, context);
  for (const [place, { sha256 }] of missing.entries()) {
    await copyInto(paths[place] ?? '', join(folder, objectName(sha256)));
  }
  const sizeBytes = packages.reduce((sum, item) => sum + item.sizeBytes, 0);
  return { folder, inputs: packages.length, added: missing.length, sizeBytes };
}

async function copyInto(source: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    await copyFile(source, temporary, constants.COPYFILE_FICLONE);
    await publish(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
