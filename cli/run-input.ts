/** What `slipway run` was given: a disk as it is, or an image definition that is built first. */
import { existsSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buildImage } from '../builder/build/build.ts';
import { defaultOutput, prepareBuild, type PrepareOptions } from '../builder/build/prepare.ts';
import { passphraseSource } from '../builder/keys/passphrase.ts';
import type { Progress } from '../builder/progress.ts';
import { SlipwayError } from '../spec/error.ts';
import type { Architecture, ImageDefinition } from '../spec/image.ts';
import { diskKind } from '../builder/inspect/kind.ts';
import { askPassphrase } from './passphrase.ts';

export interface DiskSource {
  readonly architecture: Architecture;
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
  readonly architecture?: Architecture;
  readonly locked?: true;
  /** Lock anew, visibly, where the mirror has dropped a locked package. */
  readonly relock?: true;
}

/** Throws `usage.no-such-file`, and whatever building throws. */
export async function prepareDisk(
  input: string,
  options: InputOptions,
  progress: Progress,
): Promise<DiskSource> {
  const path = resolve(input);
  if (!existsSync(path)) {
    throw new SlipwayError('usage.no-such-file', `there is no ${input}`, {
      hint: 'name an image definition (images/minimal.yaml) or a disk image (.raw)',
    });
  }
  if (/\.ya?ml$/.test(path)) return buildDisk(path, options, progress);
  // A disk that is not ours may still boot.
  const kind = (await diskKind(path)) ?? { architecture: 'amd64' };
  return describeDisk(path, {
    ...kind,
    user: DEFAULT_USER,
    debug: options.profile.includes('debug'),
  });
}

const GIB = 1024 ** 3;
const DEFAULT_USER = 'admin';
const OPERATORS = 'operators';
const GONE = ['debian.package-gone', 'debian.package-changed'];

async function buildDisk(file: string, options: InputOptions, progress: Progress): Promise<DiskSource> {
  const build = async (lock: PrepareOptions['lock']): Promise<DiskSource> => {
    const { image, ...prepared } = await prepareBuild(file, {
      keys: options.keys,
      passphrase: passphraseSource({ prompt: () => askPassphrase() }),
      profiles: options.profile,
      architecture: options.architecture,
      lock,
      progress,
    });
    const output = resolve(options.output ?? defaultOutput(image));
    const { disk } = await buildImage(image, { ...prepared, output, progress, measure: 'quick' });
    return describeDisk(disk, {
      architecture: image.architecture,
      user: firstOperator(image),
      debug: image.profiles.includes('debug'),
      sectorSize: image.disk.sectorSize,
    });
  };
  try {
    return await build(options.locked === true ? 'require' : 'update');
  } catch (error) {
    if (options.relock !== true || !(error instanceof SlipwayError && GONE.includes(error.code))) throw error;
    progress.note(error.message);
    return build('renew');
  }
}

async function describeDisk(
  disk: string,
  known: Omit<DiskSource, 'disk' | 'machineDiskBytes'>,
): Promise<DiskSource> {
  const { size } = await stat(disk);
  // At least 8 GiB in all, and 2 GiB beyond the image, in whole GiB.
  const machineDiskBytes = Math.max(8 * GIB, Math.ceil(size / GIB) * GIB + 2 * GIB);
  return { disk, machineDiskBytes, ...known };
}

function firstOperator(image: ImageDefinition): string {
  return image.users.find(({ groups }) => groups.includes(OPERATORS))?.name ?? DEFAULT_USER;
}
