/** Keys for tests, made once and kept in the cache: eight RSA keys cost a second or two. Tests copy them before they change any. */
import { join } from 'node:path';
import { cachedDirectory } from '../../builder/cache/directory.ts';
import { initKeys } from '../../builder/keys/init.ts';

/** Raised when what `initKeys` writes changes. */
const EDITION = 1;

/** A keys directory. */
export async function testKeys(passphrase?: string): Promise<string> {
  const directory = await cachedDirectory('test-keys', { EDITION, passphrase }, (temporary) =>
    initKeys(join(temporary, 'keys'), passphrase === undefined ? {} : { passphrase }),
  );
  return join(directory, 'keys');
}
