/** A new leaf under the CA of a keys directory: for the next release line, or for a key that lives in an HSM. */
import { createPublicKey, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename } from 'node:fs/promises';
import { SlipwayError } from '../../spec/error.ts';
import { writeFileAtomic } from '../cache/directory.ts';
import { certificateToPem, fingerprint, makeCertificate } from './certificate.ts';
import {
  keyPath,
  keysFilePath,
  readKeysFile,
  type CommandSigner,
  type KeysFile,
  type KeySetName,
} from './directory.ts';
import { yearsLater } from './init.ts';
import { readCertificate } from './load.ts';
import type { PassphraseSource } from './passphrase.ts';
import { generateRsaKey, privateKeyToPem, readPrivateKey, signDigest } from './private-key.ts';

export interface LeafOptions {
  readonly set: KeySetName;
  /** CN= of the certificate, by which people know the release line. */
  readonly commonName: string;
  /** Opens the CA's private key, and encrypts the leaf's where the CA's is encrypted. */
  readonly passphrase: PassphraseSource;
  /** A key that lives elsewhere: PEM file of its public half, and the program that signs with it. */
  readonly external?: { readonly publicKeyFile: string; readonly signer: CommandSigner };
  readonly now?: Date;
}

/** What became of the old leaf: kept, since it is what one names in dbx to retire what it signed. */
export interface LeafResult {
  readonly certificate: Uint8Array;
  readonly retired: string;
}

const VALID_YEARS = 15;

/**
 * Replaces the leaf. Images that the old one signed go on booting; its certificate becomes `leaf-<first 16 digits of its fingerprint>.crt`,
 * its private key is kept beside it. Throws `keys.private-key-missing` when the CA's private key is offline.
 */
export async function renewLeaf(directory: string, options: LeafOptions): Promise<LeafResult> {
  const { set, external } = options;
  const file = await readKeysFile(directory);
  const authority = await readCertificate(directory, set, 'db');
  const authorityKeyPath = keyPath(directory, set, 'db', 'key');
  if (!existsSync(authorityKeyPath)) {
    throw new SlipwayError(
      'keys.private-key-missing',
      `a leaf needs the CA's private key, and ${authorityKeyPath} is not there`,
      {
        hint: 'bring it from where it is kept, and take it away again afterwards',
      },
    );
  }
  const authorityKey = await readPrivateKey(authorityKeyPath, options.passphrase);
  const pair = external === undefined ? await generateRsaKey() : undefined;
  const publicKey = pair?.publicKey ?? (await readPublicKey(external?.publicKeyFile ?? ''));
  const now = options.now ?? new Date();
  const certificate = await makeCertificate(
    {
      commonName: options.commonName,
      organization: organizationOf(authority),
      publicKey,
      use: 'code',
      serialNumber: randomBytes(16),
      notBefore: now,
      notAfter: yearsLater(now, VALID_YEARS),
    },
    { certificate: authority, sign: (digest) => Promise.resolve(signDigest(authorityKey, digest)) },
  );
  const encrypted = (await readFile(authorityKeyPath, 'utf8')).includes('BEGIN ENCRYPTED');
  const passphrase = encrypted ? await options.passphrase() : undefined;

  const retired = await retire(directory, set);
  if (pair !== undefined) {
    const pem = await privateKeyToPem(pair.privateKey, passphrase);
    await writeFileAtomic(keyPath(directory, set, 'leaf', 'key'), pem, 0o600);
  }
  await writeFileAtomic(keyPath(directory, set, 'leaf', 'crt'), certificateToPem(certificate));
  await writeSigners(directory, file, set, external?.signer);
  return { certificate, retired };
}

/** Moves the leaf that is there aside; the certificate last, so that an interrupted renewal can be repeated. */
async function retire(directory: string, set: KeySetName): Promise<string> {
  const old = fingerprint(await readCertificate(directory, set, 'leaf')).slice(0, 16);
  const aside = (kind: 'key' | 'crt'): string =>
    keyPath(directory, set, 'leaf', kind).replace(/leaf\.(key|crt)$/, `leaf-${old}.$1`);
  const key = keyPath(directory, set, 'leaf', 'key');
  // Where an earlier renewal was cut off, the old key stands aside already, and what is here never signed anything.
  if (existsSync(key) && !existsSync(aside('key'))) await rename(key, aside('key'));
  const certificate = await readFile(keyPath(directory, set, 'leaf', 'crt'));
  await writeFileAtomic(aside('crt'), certificate);
  return aside('crt');
}

async function writeSigners(
  directory: string,
  file: KeysFile,
  set: KeySetName,
  signer: CommandSigner | undefined,
): Promise<void> {
  const others = Object.fromEntries(Object.entries(file.signers).filter(([name]) => name !== set));
  const signers = signer === undefined ? others : { ...others, [set]: signer };
  await writeFileAtomic(keysFilePath(directory), `${JSON.stringify({ ...file, signers }, undefined, 2)}\n`);
}

async function readPublicKey(path: string): Promise<KeyObject> {
  let key: KeyObject;
  try {
    key = createPublicKey(await readFile(path));
  } catch (cause) {
    throw new SlipwayError('keys.invalid', `${path} holds no public key in PEM`, { cause });
  }
  if (key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails?.modulusLength === 2048) return key;
  throw new SlipwayError(
    'keys.invalid',
    `${path} is not an RSA key of 2048 bits, which is what all firmware takes`,
  );
}

function organizationOf(certificate: Uint8Array): string {
  return /^O=(.*)$/m.exec(new X509Certificate(certificate).subject)?.[1] ?? 'Slipway';
}
