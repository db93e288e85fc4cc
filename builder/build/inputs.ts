/** Everything that an image is made of, fetched, verified and opened. */
import { readFile } from 'node:fs/promises';
import { isAbsolute } from 'node:path';
import type { ImageDefinition } from '../../spec/image.ts';
import { SlipwayError } from '../../spec/error.ts';
import { fetchPackages, type FetchContext } from '../debian/fetch.ts';
import { findMirrors } from '../debian/mirror.ts';
import { openPackage } from '../debian/package-content.ts';
import type { LockedPackage, LockFile } from '../lock/lock-file.ts';
import { parseSeccompProfile, type SeccompProfile } from '../../oci/seccomp/profile.ts';
import type { Progress } from '../progress.ts';
import { openToolbox, type Toolbox } from '../tools/toolbox.ts';
import { indexPackages, type OpenedPackage, type PackageIndex } from '../tree/package-index.ts';
import { bytecodeCompiler, type Compiler } from './bytecode.ts';
import { openServiceImages, type ServiceImage } from './images.ts';

export interface BuildInputs {
  readonly index: PackageIndex;
  readonly packages: readonly OpenedPackage[];
  readonly kernel: OpenedPackage;
  readonly toolbox: Toolbox;
  readonly compiler: Compiler | undefined;
  /** Of the services whose root is an OCI image, by service. */
  readonly images: ReadonlyMap<string, ServiceImage>;
  /** Seccomp profiles of the services' own, by path. */
  readonly seccompProfiles: ReadonlyMap<string, SeccompProfile>;
}

export const TRIPLET = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;

/** How many packages are unpacked at once. */
const PARALLEL = 4;

export async function openInputs(
  image: ImageDefinition,
  lock: LockFile,
  progress: Progress,
): Promise<BuildInputs> {
  const context = fetchContext(image, progress);
  const toolbox = await progress.step('tools', () => openToolbox(lock.tools, context));
  const debs = await progress.step('fetch', () => fetchPackages(lock.packages, context));
  const packages = await progress.step('unpack', () => openAll(lock.packages, debs));
  const kernel = packages.find(({ locked }) => locked.name === lock.requested.kernelResolved);
  if (kernel === undefined)
    throw new SlipwayError('lock.no-kernel', `the lock holds no package ${lock.requested.kernelResolved}`, {
      hint: 'write it anew: slipway lock',
    });
  return {
    index: indexPackages(packages, TRIPLET[image.architecture]),
    packages,
    kernel,
    toolbox,
    compiler: bytecodeCompiler(image.architecture, lock, toolbox),
    images: await openServiceImages(image, lock, toolbox, progress),
    seccompProfiles: await readSeccompProfiles(image),
  };
}

async function readSeccompProfiles(image: ImageDefinition): Promise<ReadonlyMap<string, SeccompProfile>> {
  const files = new Set(
    image.services.map((service) => service.securityOpt.seccomp).filter((name) => isAbsolute(name)),
  );
  return new Map(
    await Promise.all(
      [...files].map(
        async (file) => [file, parseSeccompProfile(await readFile(file, 'utf8'), file)] as const,
      ),
    ),
  );
}

/** Where an image's inputs come from: its `inputs:`, then the mirror. */
export function fetchContext(image: ImageDefinition, progress: Progress): FetchContext {
  return {
    mirrors: () => findMirrors(image.distribution),
    inputs: image.inputs,
    progress: ({ name, fetchedBytes, totalBytes }) => progress.bytes(name, fetchedBytes, totalBytes),
  };
}

async function openAll(
  locked: readonly LockedPackage[],
  debs: readonly string[],
): Promise<readonly OpenedPackage[]> {
  const opened: OpenedPackage[] = [];
  const queue = locked.map((item, place) => ({ item, place, deb: debs[place] ?? '' }));
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift())
      opened[next.place] = { locked: next.item, content: await openPackage(next.deb) };
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return opened;
}
