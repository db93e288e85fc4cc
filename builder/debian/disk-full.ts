import { SlipwayError } from '../../spec/error.ts';
import { cacheRoot } from '../cache/directory.ts';

export function diskFull(cause?: unknown): SlipwayError {
  return new SlipwayError('cache.disk-full', `the disk that holds the cache ${cacheRoot()} is full`, {
    hint: 'free some space, or name a folder on another disk in SLIPWAY_CACHE; what was fetched so far is kept',
    cause,
  });
}

/** Whether an error is the file system's word for a full disk or quota. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
