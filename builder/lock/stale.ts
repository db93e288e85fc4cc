import type { ImageDefinition } from '../../spec/image.ts';
import type { LockFile } from './lock-file.ts';
import { requestedPackages } from './resolve.ts';

/** Why a lock does not fit its image definition, a sentence each; empty when it fits. */
export function lockStaleness(image: ImageDefinition, lock: LockFile): readonly string[] {
  const wanted = requestedPackages(image);
  const locked = new Set(lock.requested.packages);
  const added = wanted.filter((name) => !locked.has(name));
  const removed = lock.requested.packages.filter((name) => !wanted.includes(name));
  return [
    ...different('architecture', lock.architecture, image.architecture),
    ...different('suite', lock.suite, image.distribution.suite),
    ...different('kernel package', lock.requested.kernel, image.kernel.package),
    ...added.map((name) => `package ${name} is not locked`),
    ...removed.map((name) => `package ${name} is locked, but no longer named`),
  ];
}

function different(what: string, locked: string, wanted: string): readonly string[] {
  return locked === wanted ? [] : [`the lock is for ${what} ${locked}, the definition says ${wanted}`];
}
