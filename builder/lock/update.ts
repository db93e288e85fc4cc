import type { ImageDefinition } from '../../spec/image.ts';
import { lockChanges, type LockChange } from './changes.ts';
import { lockPath, readLock, writeLock, type LockFile } from './lock-file.ts';
import { resolveLock, type ResolveOptions } from './resolve.ts';
import { lockStaleness } from './stale.ts';

export interface LockUpdate {
  readonly path: string;
  readonly lock: LockFile;
  /** There was none, or none that could be read. */
  readonly created: boolean;
  readonly changes: readonly LockChange[];
}

/**
 * Resolves the newest inputs and writes the lock file. Where no input changed and the old one fits, it stays as it is, with its date: the same
 * inputs give the same image.
 */
export async function updateLock(image: ImageDefinition, options: ResolveOptions = {}): Promise<LockUpdate> {
  const path = lockPath(image);
  const before = await readLockOrNothing(path);
  const lock = await resolveLock(image, options);
  const changes = lockChanges(before, lock);
  if (before !== undefined && changes.length === 0 && lockStaleness(image, before).length === 0) {
    return { path, lock: before, created: false, changes };
  }
  await writeLock(path, lock);
  return { path, lock, created: before === undefined, changes };
}

/** A damaged lock is what locking anew repairs. */
async function readLockOrNothing(path: string): Promise<LockFile | undefined> {
  try {
    return await readLock(path);
  } catch {
    return undefined;
  }
}
