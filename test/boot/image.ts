/** Images for boot tests, signed with keys of the tests' own; built once and then found finished. */
import { existsSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { initKeys } from '../../builder/keys/init.ts';
import { loadKeys, type Keys } from '../../builder/keys/load.ts';
import { makePcrKey } from '../../builder/pcr/key.ts';
import type { Progress } from '../../builder/progress.ts';
import { prepareDisk, type DiskSource } from '../../cli/run-input.ts';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import { initTufKeys } from '../../updater/repository/keys/init.ts';

/** Everything that boot tests leave lies here: keys, images, console logs. */
export const WORK = resolve('build/boot-tests');
export const KEYS = join(WORK, 'keys');

export async function testKeys(directory = KEYS): Promise<Keys> {
  if (!existsSync(directory)) {
    await initKeys(directory).catch((error: unknown) => {
      // Another worker was quicker.
      if (!(error instanceof SlipwayError && error.code === 'keys.exists')) throw error;
    });
  }
  // One of an earlier session may lack it.
  await makePcrKey(directory);
  const updates = join(directory, 'tuf');
  if (!existsSync(updates)) {
    await initTufKeys(directory).catch((error: unknown) => {
      if (!existsSync(updates)) throw error;
    });
  }
  return loadKeys(directory);
}

/** Builds an image definition; its lock file is made anew, visibly, where the mirror has dropped a package. */
export async function buildTestImage(
  file: string,
  profiles: readonly string[] = [],
  architecture: Architecture = 'amd64',
): Promise<DiskSource> {
  await testKeys();
  const suffix = architecture === 'amd64' ? [] : [architecture];
  const name = [basename(file, '.yaml'), ...profiles, ...suffix].join('-');
  return prepareDisk(
    resolve(file),
    { keys: KEYS, output: join(WORK, 'images', name), profile: profiles, architecture, relock: true },
    plainProgress(name),
  );
}

function plainProgress(name: string): Progress {
  return {
    step: (_step, work) => work(),
    bytes: () => undefined,
    note: (text) => {
      process.stderr.write(`${name}: ${text}\n`);
    },
  };
}
