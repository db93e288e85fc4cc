/** Keys for tests, made once and kept in the cache: eight RSA keys cost a second or two. Tests copy them before they change any. */
import { join } from 'node:path';
import { cachedDirectory } from '../../builder/cache/directory.ts';
import { initKeys } from '../../builder/keys/init.ts';

/** Raised when what `initKeys` writes changes. */
const EDITION = 1;

const made = new Map<string | undefined, Promise<string>>();

/** A keys directory. */
export function testKeys(passphrase?: string): Promise<string> {
  const directory = made.get(passphrase) ?? makeKeys(passphrase);
  made.set(passphrase, directory);
  return directory;
}

async function makeKeys(passphrase: string | undefined): Promise<string> {
  const directory = await cachedDirectory('test-keys', { EDITION, passphrase }, (temporary) =>
    initKeys(join(temporary, 'keys'), passphrase === undefined ? {} : { passphrase }),
  );
  return join(directory, 'keys');
}
