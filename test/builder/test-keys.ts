/** Keys for tests, made once and kept in the cache: eight RSA keys cost a second or two. Tests copy them before they change any. */
import { join } from 'node:path';
import { cachedDirectory } from '../../builder/cache/directory.ts';
import { initKeys } from '../../builder/keys/init.ts';
import { initTufKeys } from '../../updater/repository/keys/init.ts';

/** Raised when what `initKeys` writes changes. */
const EDITION = 3;

const made = new Map<string | undefined, Promise<string>>();

/** A keys directory. */
export function testKeys(passphrase?: string): Promise<string> {
  const directory = made.get(passphrase) ?? makeKeys(passphrase);
  made.set(passphrase, directory);
  return directory;
}

async function makeKeys(passphrase: string | undefined): Promise<string> {
  const directory = await cachedDirectory('test-keys', { EDITION, passphrase }, async (temporary) => {
    const keys = join(temporary, 'keys');
    await initKeys(keys, passphrase === undefined ? {} : { passphrase });
    await initTufKeys(keys, { passphrase: () => Promise.resolve(passphrase) });
  });
  return join(directory, 'keys');
}
