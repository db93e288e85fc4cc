/** Reads `KEYS/tuf` for use. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { commandSigner } from '../../../builder/keys/command-signer.ts';
import { passphraseSource, type PassphraseSource } from '../../../builder/keys/passphrase.ts';
import { checkPrivateKeyMode, readPrivateKey } from '../../../builder/keys/private-key.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { parseRoot, type RootContent } from '../tuf/root.ts';
import {
  readRootChain,
  readTufFile,
  rootPath,
  TOP_LEVEL_ROLES,
  tufDirectory,
  tufKeyPath,
  type RoleKeys,
  type TopLevelRole,
  type TufFile,
  type TufRole,
} from './directory.ts';
import { checkedSigner, keyIdOf, signWithKey, tufKey, type TufKey, type TufSigner } from './key.ts';

export interface TufKeys {
  readonly directory: string;
  /** Every version of root, oldest first, as it is published: `<version>.root.json`. */
  readonly rootChain: readonly { readonly version: number; readonly bytes: Uint8Array }[];
  /** The newest. */
  readonly root: RootContent;
  readonly channels: Readonly<Record<string, RoleKeys>>;
  /** Public keys and threshold; `undefined` for a channel that there is not. */
  readonly role: (role: TufRole) => RoleKeys | undefined;
  /** The keys of a role whose private half is within reach, possibly none. Private keys are read, and a passphrase asked for, when one first signs. */
  readonly available: (role: TufRole) => readonly TufSigner[];
  /** The same; throws `keys.private-key-missing` when they are fewer than must sign. */
  readonly signers: (role: TufRole) => readonly TufSigner[];
}

/** Needs no private key. Throws `keys.missing`, `keys.invalid`, and `keys.readable-by-others` for a private key in it that others may read. */
export async function loadTufKeys(
  directory: string,
  options: { readonly passphrase?: PassphraseSource } = {},
): Promise<TufKeys> {
  const file = await readTufFile(directory);
  const rootChain = await readRootChain(directory);
  const newest = rootChain.at(-1);
  if (newest === undefined) throw new Error('a chain has at least one root');
  const root = parseRoot(newest.bytes, rootPath(directory, newest.version));
  if (root.version !== newest.version) {
    throw new SlipwayError(
      'keys.invalid',
      `${rootPath(directory, newest.version)} says that it is version ${root.version}`,
    );
  }
  const names = await readdir(tufDirectory(directory));
  for (const name of names.filter((candidate) => candidate.endsWith('.key')))
    await checkPrivateKeyMode(join(tufDirectory(directory), name));
  const passphrase = options.passphrase ?? passphraseSource();
  const role = (name: TufRole): RoleKeys | undefined => {
    const topLevel = TOP_LEVEL_ROLES.find((candidate) => candidate === name);
    return topLevel === undefined
      ? file.channels[name.replace(/^rollout-/, '')]
      : root.roles[topLevel satisfies TopLevelRole];
  };
  const available = (name: TufRole): readonly TufSigner[] =>
    Object.entries(role(name)?.keys ?? {}).flatMap(
      ([keyId, key]) => signerOf(directory, name, keyId, key, file, passphrase) ?? [],
    );
  return {
    directory,
    rootChain,
    root,
    channels: file.channels,
    role,
    available,
    signers: (name) => enough(directory, name, role(name), available(name)),
  };
}

/** `undefined` when its private half is not here. */
function signerOf(
  directory: string,
  role: TufRole,
  keyId: string,
  key: TufKey,
  file: TufFile,
  passphrase: PassphraseSource,
): TufSigner | undefined {
  const command = file.signers[keyId];
  if (command !== undefined) return checkedSigner(key, command.command[0] ?? '', commandSigner(command));
  const path = tufKeyPath(directory, role, keyId);
  if (!existsSync(path)) return undefined;
  let opened: Promise<KeyObject> | undefined;
  const open = async (): Promise<KeyObject> => {
    const privateKey = await readPrivateKey(path, passphrase);
    if (privateKey.asymmetricKeyType === 'ed25519' && keyIdOf(tufKey(createPublicKey(privateKey))) === keyId)
      return privateKey;
    throw new SlipwayError('keys.invalid', `${path} is not the private half of ${keyId}`);
  };
  return checkedSigner(key, path, async (message) => signWithKey(await (opened ??= open()), message));
}

function enough(
  directory: string,
  role: TufRole,
  roleKeys: RoleKeys | undefined,
  available: readonly TufSigner[],
): readonly TufSigner[] {
  if (roleKeys === undefined) {
    throw new SlipwayError('keys.no-role', `${directory} has no keys for ${role}`, {
      hint: role.startsWith('rollout-')
        ? `add the channel: slipway keys init ${directory} --channel ${role.replace(/^rollout-/, '')}`
        : `look: slipway keys list ${directory}`,
    });
  }
  if (available.length >= roleKeys.threshold) return available;
  const missing = Object.keys(roleKeys.keys).filter((keyId) => !available.some((one) => one.keyId === keyId));
  throw new SlipwayError(
    'keys.private-key-missing',
    `${role} needs ${roleKeys.threshold} of its private keys, and ${available.length} are in ${tufDirectory(directory)}`,
    { hint: `bring of these: ${missing.map((keyId) => tufKeyPath(directory, role, keyId)).join(', ')}` },
  );
}
