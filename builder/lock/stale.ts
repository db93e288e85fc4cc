import type { ImageDefinition } from '../../spec/image.ts';
import { findLockedImage, imageReferences } from './images.ts';
import type { LockFile } from './lock-file.ts';
import { BOOT_LOADER_PACKAGE, BUILD_TOOL_PACKAGES } from '../tools/packages.ts';
import { requestedPackages } from './resolve.ts';

/**
 * Why a lock does not fit its image definition, a sentence each; empty when it fits. It may hold more than the definition names: one lock
 * serves an image with and without its profiles.
 */
export function lockStaleness(image: ImageDefinition, lock: LockFile): readonly string[] {
  const wanted = requestedPackages(image);
  const locked = new Set(lock.requested.packages);
  const added = wanted.filter((name) => !locked.has(name));
  const tools = new Set(lock.tools.map(({ name }) => name));
  return [
    ...different('architecture', lock.architecture, image.architecture),
    ...different('suite', lock.suite, image.distribution.suite),
    ...different('kernel package', lock.requested.kernel, image.kernel.package),
    ...added.map((name) => `package ${name} is not locked`),
    ...imageReferences(image)
      .filter((reference) => findLockedImage(image, lock, reference) === undefined)
      .map((reference) => `image ${reference} is not locked`),
    ...[...BUILD_TOOL_PACKAGES, BOOT_LOADER_PACKAGE]
      .filter((name) => !tools.has(name))
      .map((name) => `build tool ${name} is not locked`),
  ];
}

function different(what: string, locked: string, wanted: string): readonly string[] {
  return locked === wanted ? [] : [`the lock is for ${what} ${locked}, the definition says ${wanted}`];
}
