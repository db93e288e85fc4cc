import type { LockFile } from '../lock/lock-file.ts';

/** The time that an image carries in all its files (seconds since 1970): that of its inputs, so that two builds agree. */
export function lockEpoch(lock: LockFile): number {
  return lock.epoch;
}
