/** The key that PCR 11 is signed with: `pcr.key` and `pcr.pub` of a keys directory, or a program that `keys.json` names. */
import { constants, createHash, createPublicKey, publicDecrypt, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import { SHA256_DIGEST_INFO } from '../authenticode/signer.ts';
import { writeFileAtomic } from '../cache/directory.ts';
import { commandSigner } from '../keys/command-signer.ts';
import { readKeysFile } from '../keys/directory.ts';
import { passphraseSource, type PassphraseSource } from '../keys/passphrase.ts';
import {
  generateRsaKey,
  privateKeyToPem,
  readPrivateKey,
  signDigest,
  privateKeyFile,
  type PrivateKeyPlace,
} from '../keys/private-key.ts';

export interface PcrSigner {
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
  /** RSASSA-PKCS1-v1_5 over a SHA-256 digest: the same digest gives the same signature. */
  readonly sign: (digest: Uint8Array) => Promise<Uint8Array>;
}

/**
 * Machines seal their state to this key for as long as they live: it is made once, and never overwritten. There is one, for production:
 * a debug image is never to open what a machine keeps (decisions.md 5).
 *
 * @returns false where there is one already
 */
export async function makePcrKey(
  directory: string,
  options: { readonly passphrase?: string | undefined } = {},
): Promise<boolean> {
  if (hasPcrKey(directory)) return false;
  const { publicKey, privateKey } = await generateRsaKey();
  await writeFileAtomic(path(directory, 'key'), await privateKeyToPem(privateKey, options.passphrase), 0o600);
  await writeFileAtomic(path(directory, 'pub'), publicKey.export({ type: 'spki', format: 'pem' }).toString());
  return true;
}

export function hasPcrKey(directory: string): boolean {
  return existsSync(path(directory, 'pub'));
}

export interface ListedPcrKey {
  /** SHA-256 of the public key (SubjectPublicKeyInfo, DER), hexadecimal: what `.pcrsig` calls it by. */
  readonly fingerprint: string;
  readonly privateKey: PrivateKeyPlace;
}

/** `undefined` for a keys directory of before there was one. */
export async function listPcrKey(directory: string): Promise<ListedPcrKey | undefined> {
  if (!hasPcrKey(directory)) return undefined;
  const publicKey = createPublicKey(
    normalised(await readFile(path(directory, 'pub'), 'utf8'), path(directory, 'pub')),
  );
  const isElsewhere = (await readKeysFile(directory)).signers.pcr !== undefined;
  return {
    fingerprint: createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex'),
    privateKey: isElsewhere ? 'command' : await privateKeyFile(path(directory, 'key')),
  };
}

/** Its private key is read, and its passphrase asked for, when it first signs. Throws `keys.no-pcr-key`. */
export async function loadPcrSigner(
  directory: string,
  options: { readonly passphrase?: PassphraseSource } = {},
): Promise<PcrSigner> {
  const publicPath = path(directory, 'pub');
  if (!existsSync(publicPath))
    throw new SlipwayError('keys.no-pcr-key', `${directory} has no key that a TPM would accept (pcr.pub)`, {
      hint: `make one: slipway keys init ${directory}`,
    });
  const publicKey = normalised(await readFile(publicPath, 'utf8'), publicPath);
  const command = (await readKeysFile(directory)).signers.pcr;
  if (command !== undefined) return { publicKey, sign: commandSigner(command) };
  const passphrase = options.passphrase ?? passphraseSource();
  let key: Promise<KeyObject> | undefined;
  const open = async (): Promise<KeyObject> => {
    if (existsSync(path(directory, 'key'))) return readPrivateKey(path(directory, 'key'), passphrase);
    throw new SlipwayError('keys.private-key-missing', `there is no private key ${path(directory, 'key')}`, {
      hint: 'put it there, or name a program that signs in keys.json (docs/keys.md)',
    });
  };
  return { publicKey, sign: async (digest) => signDigest(await (key ??= open()), digest) };
}

/** Checked, since a signer may be any program, and a wrong signature would show on machines alone. */
export async function signChecked(signer: PcrSigner, digest: Uint8Array): Promise<Uint8Array> {
  const signature = await signer.sign(digest);
  if (isSignature(signer.publicKey, digest, signature)) return signature;
  throw new SlipwayError(
    'sign.wrong-signature',
    `the signer returned ${signature.length} bytes that are no signature of pcr.pub`,
    { hint: 'it must return the raw RSASSA-PKCS1-v1_5 signature over the SHA-256 digest that it reads' },
  );
}

function isSignature(publicKey: string, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    const opened = publicDecrypt({ key: publicKey, padding: constants.RSA_PKCS1_PADDING }, signature);
    return opened.equals(Buffer.concat([SHA256_DIGEST_INFO, digest]));
  } catch {
    return false;
  }
}

/** In one form, whatever wrote it: it is measured. */
function normalised(pem: string, file: string): string {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.modulusLength === 2048)
      return key.export({ type: 'spki', format: 'pem' }).toString();
  } catch {
    // Said below.
  }
  throw new SlipwayError(
    'keys.invalid',
    `${file} is no public RSA key of 2048 bits, which is what all TPMs take`,
  );
}

function path(directory: string, kind: 'key' | 'pub'): string {
  return join(directory, `pcr.${kind}`);
}
