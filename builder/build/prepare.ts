/** From a file name to everything that a build needs: definition, lock, keys. */
import { join } from 'node:path';
import { DiagnosticsError } from '../../spec/diagnostic.ts';
import type { Architecture, ImageDefinition } from '../../spec/image.ts';
import { loadImage } from '../../spec/load.ts';
import { SlipwayError } from '../../spec/error.ts';
import { loadKeys, type Keys } from '../keys/load.ts';
import type { PassphraseSource } from '../keys/passphrase.ts';
import { lockPath, readLock, type LockFile } from '../lock/lock-file.ts';
import { lockStaleness } from '../lock/stale.ts';
import { updateLock } from '../lock/update.ts';
import type { Progress } from '../progress.ts';

export interface PrepareOptions {
  readonly keys: string;
  /** Asked when a private key turns out to be encrypted. */
  readonly passphrase?: PassphraseSource;
  readonly profiles: readonly string[];
  /** In place of what the definition says. */
  readonly architecture?: Architecture | undefined;
  /** `require`: the lock must fit. `update`: it is written anew, visibly, where it does not. `renew`: always. */
  readonly lock: 'require' | 'update' | 'renew';
  readonly progress: Progress;
}

export interface Prepared {
  readonly image: ImageDefinition;
  readonly lock: LockFile;
  readonly keys: Keys;
}

/** Throws DiagnosticsError for faults in the definition, `lock.stale`, and what keys and locks throw. */
export async function prepareBuild(file: string, options: PrepareOptions): Promise<Prepared> {
  const image = await readImage(file, options.profiles, options.architecture);
  const keys = await loadKeys(
    options.keys,
    options.passphrase === undefined ? {} : { passphrase: options.passphrase },
  );
  return { image, keys, lock: await fittingLock(image, options) };
}

/** `build/<name>`, with the active profiles and the architecture: images of one folder do not overwrite each other. */
export function defaultOutput({ name, profiles, architecture }: ImageDefinition): string {
  return join('build', [name, ...profiles, ...(architecture === 'amd64' ? [] : [architecture])].join('-'));
}

export async function readImage(
  file: string,
  profiles: readonly string[],
  architecture?: Architecture,
): Promise<ImageDefinition> {
  const { image, diagnostics } = await loadImage(file, {
    profiles,
    ...(architecture === undefined ? {} : { architecture }),
  });
  if (image === undefined || diagnostics.some(({ severity }) => severity === 'error'))
    throw new DiagnosticsError(diagnostics);
  return image;
}

async function fittingLock(image: ImageDefinition, options: PrepareOptions): Promise<LockFile> {
  const path = lockPath(image);
  const found = await readLock(path);
  const stale = found === undefined ? ['there is no lock file yet'] : lockStaleness(image, found);
  if (found !== undefined && stale.length === 0 && options.lock !== 'renew') return found;
  if (options.lock === 'require')
    throw new SlipwayError('lock.stale', `${path} does not fit the image definition: ${stale.join('; ')}`, {
      hint: `slipway lock ${image.file}${image.architecture === 'amd64' ? '' : ` --architecture ${image.architecture}`}`,
    });
  options.progress.note(`locking: ${stale.length === 0 ? 'as asked' : stale.join('; ')}`);
  const { lock, changes } = await updateLock(image, { progress: (step) => options.progress.note(step) });
  options.progress.note(`${path}: ${changes.length} ${changes.length === 1 ? 'change' : 'changes'}`);
  return lock;
}
