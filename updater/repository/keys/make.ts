/** New private keys in `KEYS/tuf`: made here, or elsewhere, with a program that signs. */
import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeFileAtomic } from '../../../builder/cache/directory.ts';
import { commandSigner } from '../../../builder/keys/command-signer.ts';
import { keyPath, type CommandSigner } from '../../../builder/keys/directory.ts';
import type { PassphraseSource } from '../../../builder/keys/passphrase.ts';
import { privateKeyToPem } from '../../../builder/keys/private-key.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { tufDirectory, tufKeyPath, type TufRole } from './directory.ts';
import {
  checkedSigner,
  generateTufKey,
  keyIdOf,
  signWithKey,
  tufKey,
  type TufKey,
  type TufSigner,
} from './key.ts';

/** A key that lives elsewhere: PEM file of its public half, and the program that signs with it. */
export interface ExternalKey {
  readonly publicKeyFile: string;
  readonly signer: CommandSigner;
}

/** A key that is not trusted yet: it is on disk (or elsewhere), and can sign. */
export interface NewKey {
  readonly keyId: string;
  readonly key: TufKey;
  readonly signer: TufSigner;
  readonly command?: CommandSigner;
}

/** Makes a key for a role; its private half is written before it is trusted anywhere. */
export async function makeKey(
  keysDirectory: string,
  role: TufRole,
  passphrase: string | undefined,
): Promise<NewKey> {
  const { key, privateKey } = await generateTufKey();
  const keyId = keyIdOf(key);
  const path = tufKeyPath(keysDirectory, role, keyId);
  await writeFileAtomic(path, await privateKeyToPem(privateKey, passphrase), 0o600);
  return {
    keyId,
    key,
    signer: checkedSigner(key, path, (message) => Promise.resolve(signWithKey(privateKey, message))),
  };
}

export async function takeExternalKey({ publicKeyFile, signer }: ExternalKey): Promise<NewKey> {
  const pem = await readFile(publicKeyFile, 'utf8').catch((cause: unknown) => {
    throw new SlipwayError('keys.invalid', `cannot read ${publicKeyFile}`, { cause });
  });
  let key: TufKey;
  try {
    key = tufKey(createPublicKey(pem));
  } catch (cause) {
    if (cause instanceof SlipwayError) throw cause;
    throw new SlipwayError('keys.invalid', `${publicKeyFile} holds no public key in PEM`, { cause });
  }
  const made = {
    keyId: keyIdOf(key),
    key,
    command: signer,
    signer: checkedSigner(key, signer.command[0] ?? '', commandSigner(signer)),
  };
  // Before anything is changed: a signer that does not work would lock its owner out.
  await made.signer.sign(Buffer.from('slipway: does this signer work?'));
  return made;
}

/** The passphrase for a new key: none, unless other keys of the directory are encrypted. */
export async function passphraseLikeOthers(
  keysDirectory: string,
  passphrase: PassphraseSource,
): Promise<string | undefined> {
  const directory = tufDirectory(keysDirectory);
  const names = existsSync(directory) ? await readdir(directory) : [];
  const paths = [
    ...names.filter((name) => name.endsWith('.key')).map((name) => join(directory, name)),
    keyPath(keysDirectory, 'release', 'leaf', 'key'),
  ].filter(existsSync);
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  if (!texts.some((text) => text.includes('BEGIN ENCRYPTED'))) return undefined;
  const secret = await passphrase();
  if (secret !== undefined) return secret;
  throw new SlipwayError(
    'keys.passphrase-missing',
    `the other private keys of ${keysDirectory} are encrypted`,
    {
      hint: 'give the passphrase in SLIPWAY_PASSPHRASE, or in a file that SLIPWAY_PASSPHRASE_FILE names',
    },
  );
}

/** Moves a private key that is no longer trusted to `tuf/retired`; nothing when it is not here. */
export async function retireKey(keysDirectory: string, role: TufRole, keyId: string): Promise<void> {
  const path = tufKeyPath(keysDirectory, role, keyId);
  if (!existsSync(path)) return;
  const aside = join(dirname(path), 'retired', basename(path));
  await mkdir(dirname(aside), { recursive: true, mode: 0o700 });
  await rename(path, aside);
}
