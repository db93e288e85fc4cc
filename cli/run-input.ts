/** What `slipway run` was given: a disk as it is, or an image definition that is built first. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { SlipwayError } from '../spec/error.ts';
import type { Progress } from '../builder/progress.ts';

export interface DiskSource {
  /** Raw disk image, absolute. */
  readonly disk: string;
  /** Who logs in. */
  readonly user: string;
  /** Signed with the debug keys: only firmware that trusts those starts it. */
  readonly debug: boolean;
  readonly sectorSize?: 512 | 4096;
  /** Size of the disk that the machine sees: larger than the image, so that its state has room. */
  readonly machineDiskBytes: number;
}

export interface InputOptions {
  readonly keys: string;
  readonly output?: string;
  readonly profile: readonly string[];
  readonly locked?: true;
  readonly relock?: true;
}

const GIB = 1024 ** 3;
const DEFAULT_USER = 'admin';

export async function prepareDisk(
  input: string,
  _options: InputOptions,
  _progress: Progress,
): Promise<DiskSource> {
  const path = resolve(input);
  if (!existsSync(path)) {
    throw new SlipwayError('usage.no-such-file', `there is no ${input}`, {
      hint: 'name an image definition (images/minimal.yaml) or a disk image (.raw)',
    });
  }
  const { size } = await stat(path);
  return { disk: path, user: DEFAULT_USER, debug: false, machineDiskBytes: grown(size) };
}

/** At least 8 GiB in all, and 2 GiB beyond the image, in whole GiB. */
function grown(imageBytes: number): number {
  return Math.max(8 * GIB, Math.ceil(imageBytes / GIB) * GIB + 2 * GIB);
}
