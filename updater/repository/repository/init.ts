/** A new repository: the roots, no release, no brake. */
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { SlipwayError } from '../../../spec/error.ts';
import type { TufKeys } from '../keys/load.ts';
import { repositoryFiles } from './files.ts';
import { BOOKKEEPING, TIMESTAMP } from './layout.ts';
import { withRepositoryLock } from './lock.ts';
import { publish, type Publication } from './publish.ts';
import { DEFAULT_SETTINGS, writeSettings, type Settings } from './settings.ts';
import { readState } from './state.ts';

/** Made with all online keys and those of targets at hand. Interrupted, it can be run again. Throws `repository.exists`. */
export async function initRepository(
  directory: string,
  keys: TufKeys,
  options: { readonly validDays?: Partial<Settings['validDays']>; readonly now?: Date } = {},
): Promise<Publication> {
  await mkdir(directory, { recursive: true });
  const files = repositoryFiles(directory);
  const names = (await readdir(directory)).filter((name) => name !== '.git' && name !== '.gitignore');
  if (names.includes(TIMESTAMP)) throw exists(`there is a repository in ${directory} already`);
  if (names.length > 0 && !existsSync(`${directory}/${BOOKKEEPING}`))
    throw exists(`${directory} is not empty`);
  return withRepositoryLock(directory, async () => {
    await writeSettings(directory, {
      ...DEFAULT_SETTINGS,
      validDays: { ...DEFAULT_SETTINGS.validDays, ...options.validDays },
    });
    const state = await readState(files, keys);
    return publish(files, state, keys, { targets: {} }, options.now);
  });
}

function exists(message: string): SlipwayError {
  return new SlipwayError('repository.exists', message, { hint: 'name a new or an empty directory' });
}
