/** Reads a keys directory for use. */
import { X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';
import type { Signer } from '../authenticode/signer.ts';
import { commandSigner } from './command-signer.ts';
import {
  ENROLLED_ROLES,
  KEY_ROLES,
  KEY_SETS,
  keyPath,
  readKeysFile,
  type KeyRole,
  type KeySetName,
  type KeysFile,
} from './directory.ts';
import { loadPcrSigner, type PcrSigner } from '../pcr/key.ts';
import { passphraseSource, type PassphraseSource } from './passphrase.ts';
import { checkPrivateKeyMode, readPrivateKey, signDigest } from './private-key.ts';

/** One Secure Boot variable: its certificate (DER), its contents, and the signed update that sets it. */
export interface EnrolledKey {
  readonly certificate: Uint8Array;
  readonly esl: Uint8Array;
  readonly auth: Uint8Array;
}

export interface KeySet {
  readonly name: KeySetName;
  /** The leaf: signs UKIs and boot loaders. Its private key is read, and its passphrase asked for, when it first signs. */
  readonly signer: Signer;
  readonly pk: EnrolledKey;
  readonly kek: EnrolledKey;
  readonly db: EnrolledKey;
}

export interface Keys {
  readonly directory: string;
  /** GUID beside each certificate in firmware variables. */
  readonly owner: string;
  /** Signs production images: `sets.release.signer`. */
  readonly uki: Signer;
  /** Signs debug images: `sets.debug.signer`. */
  readonly debug: Signer;
  /** What production machines enrol. */
  readonly pk: EnrolledKey;
  readonly kek: EnrolledKey;
  readonly db: EnrolledKey;
  readonly sets: Readonly<Record<KeySetName, KeySet>>;
  /** Signs PCR 11 of production images. Throws `keys.no-pcr-key`. */
  readonly pcr: () => Promise<PcrSigner>;
}

/**
 * Needs no private key but the leaf's, and that only to sign: PK, KEK and db belong offline. Throws `keys.missing`, `keys.invalid`, and
 * `keys.readable-by-others` for any private key in it that others may read.
 */
export async function loadKeys(
  directory: string,
  options: { readonly passphrase?: PassphraseSource } = {},
): Promise<Keys> {
  const file = await readKeysFile(directory);
  const privateKeys = KEY_SETS.flatMap((set) =>
    KEY_ROLES.map((role) => keyPath(directory, set, role, 'key')),
  );
  for (const path of privateKeys.filter(existsSync)) await checkPrivateKeyMode(path);
  const passphrase = options.passphrase ?? passphraseSource();
  const load = (set: KeySetName): Promise<KeySet> => loadKeySet(directory, set, file, passphrase);
  const [release, debug] = await Promise.all([load('release'), load('debug')]);
  const { pk, kek, db } = release;
  return {
    directory,
    owner: file.owner,
    uki: release.signer,
    debug: debug.signer,
    pk,
    kek,
    db,
    sets: { release, debug },
    pcr: () => loadPcrSigner(directory, { passphrase }),
  };
}

/** The certificate in `DIR/<role>.crt`, DER. */
export async function readCertificate(
  directory: string,
  set: KeySetName,
  role: KeyRole,
): Promise<Uint8Array> {
  const path = keyPath(directory, set, role, 'crt');
  try {
    return new X509Certificate(await readFile(path)).raw;
  } catch (cause) {
    throw new SlipwayError('keys.invalid', `${path} is missing or no certificate`, { cause });
  }
}

async function loadKeySet(
  directory: string,
  set: KeySetName,
  file: KeysFile,
  passphrase: PassphraseSource,
): Promise<KeySet> {
  const [pk, kek, db] = await Promise.all(
    ENROLLED_ROLES.map(async (role): Promise<EnrolledKey> => ({
      certificate: await readCertificate(directory, set, role),
      esl: await readFile(keyPath(directory, set, role, 'esl')),
      auth: await readFile(keyPath(directory, set, role, 'auth')),
    })),
  );
  if (pk === undefined || kek === undefined || db === undefined) throw new Error('a key is missing');
  const leaf = await readCertificate(directory, set, 'leaf');
  checkIssued(leaf, db.certificate, keyPath(directory, set, 'leaf', 'crt'));
  const command = file.signers[set];
  const sign =
    command === undefined
      ? fileSign(keyPath(directory, set, 'leaf', 'key'), leaf, passphrase)
      : commandSigner(command);
  return { name: set, signer: { certificate: leaf, chain: [db.certificate], sign }, pk, kek, db };
}

function checkIssued(leaf: Uint8Array, authority: Uint8Array, path: string): void {
  if (new X509Certificate(leaf).verify(new X509Certificate(authority).publicKey)) return;
  throw new SlipwayError(
    'keys.invalid',
    `${path} was not issued by the CA beside it: machines would refuse what it signs`,
  );
}

function fileSign(path: string, certificate: Uint8Array, passphrase: PassphraseSource): Signer['sign'] {
  let key: Promise<KeyObject> | undefined;
  const open = async (): Promise<KeyObject> => {
    if (!existsSync(path)) {
      throw new SlipwayError('keys.private-key-missing', `there is no private key ${path}`, {
        hint: 'put it there, or name a program that signs in keys.json (docs/keys.md)',
      });
    }
    const opened = await readPrivateKey(path, passphrase);
    if (new X509Certificate(certificate).checkPrivateKey(opened)) return opened;
    throw new SlipwayError('keys.invalid', `${path} does not belong to the certificate beside it`);
  };
  return async (digest) => signDigest(await (key ??= open()), digest);
}
