/** Copies of all locked inputs in a folder that `inputs:` can name, because a mirror keeps only the newest of everything. */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { publish, temporaryName } from '../cache/directory.ts';
import { fetchPackages, objectName, objectPath, type FetchContext } from '../debian/fetch.ts';
import { resolveImage } from '../oci/image.ts';
import { parseIndexOrManifest } from '../../oci/manifest.ts';
import { parseReference } from '../../oci/reference.ts';
import type { LockFile } from './lock-file.ts';

export interface VendorResult {
  readonly folder: string;
  /** How many inputs the lock names, and how many of them were not there yet. */
  readonly inputs: number;
  readonly added: number;
  readonly sizeBytes: number;
}

/**
 * Fills `<folder>/sha256/xx/<sha256>` with packages and with the manifests and layers of registry images. What is there already, of this or
 * another lock, stays. Images that lie in folders or archives of the workstation are not copied: they are inputs already.
 */
export async function vendorInputs(
  lock: LockFile,
  folder: string,
  context: FetchContext,
): Promise<VendorResult> {
  const packages = [
    ...new Map([...lock.packages, ...lock.tools].map((item) => [item.sha256, item])).values(),
  ];
  const missing = packages.filter(({ sha256 }) => !existsSync(join(folder, objectName(sha256))));
  await fetchPackages(missing, context);
  const wanted = [...packages.map(({ sha256 }) => sha256), ...(await imageObjects(lock, context))];
  const result = { inputs: 0, added: 0, sizeBytes: 0 };
  for (const sha256 of wanted) {
    const path = join(folder, objectName(sha256));
    if (!existsSync(path)) {
      await copyInto(objectPath(sha256), path);
      result.added++;
    }
    result.inputs++;
    result.sizeBytes += (await stat(path)).size;
  }
  return { folder, ...result };
}

/** Hashes of everything that registry images consist of; all of it is in the cache then. */
async function imageObjects(lock: LockFile, context: FetchContext): Promise<readonly string[]> {
  const objects = new Set<string>();
  for (const { reference, digest } of lock.images) {
    if (parseReference(reference).kind !== 'registry') continue;
    await resolveImage(reference, { architecture: lock.architecture, digest, inputs: context.inputs ?? [] });
    const manifest = objectPath(digest.replace('sha256:', ''));
    const document = parseIndexOrManifest(await readFile(manifest, 'utf8'), reference);
    if (document.kind !== 'manifest') throw new Error(`${reference} is locked as an index`);
    const parts = [document.manifest.config, ...document.manifest.layers].map((part) => part.digest);
    for (const part of [digest, ...parts]) objects.add(part.replace('sha256:', ''));
  }
  return [...objects];
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
