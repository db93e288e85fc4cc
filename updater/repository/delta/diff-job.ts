/** One diff, as main thread and worker know it: small messages, the bytes are read from the files. */
import { closeSync, openSync, readSync } from 'node:fs';
import type { Extent } from '../../payload/operation.ts';
import { encodePatch } from '../../payload/patch.ts';
import { diff } from './bsdiff.ts';

export interface DiffJob {
  readonly oldPath: string;
  readonly newPath: string;
  readonly extents: readonly Extent[];
  readonly target: Extent;
}

/** The patch that makes the target of the extents. */
export function runDiff({ oldPath, newPath, extents, target }: DiffJob): Uint8Array {
  return encodePatch(diff(readExtents(oldPath, extents), readExtents(newPath, [target])));
}

function readExtents(path: string, extents: readonly Extent[]): Uint8Array {
  const bytes = new Uint8Array(extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0));
  const file = openSync(path, 'r');
  try {
    let start = 0;
    for (const { offset, sizeBytes } of extents) {
      for (let done = 0; done < sizeBytes;) {
        const length = readSync(file, bytes, start + done, sizeBytes - done, offset + done);
        if (length === 0) throw new Error(`${path} ends before byte ${offset + sizeBytes}`);
        done += length;
      }
      start += sizeBytes;
    }
  } finally {
    closeSync(file);
  }
  return bytes;
}
