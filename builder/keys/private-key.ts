/** Private keys on disk: PKCS#8 PEM, mode 0600, encrypted where there is a passphrase. */
import {
  constants,
  createCipheriv,
  createPrivateKey,
  generateKeyPair,
  privateEncrypt,
  randomBytes,
  scrypt,
  type KeyObject,
} from 'node:crypto';
import { existsSync } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SlipwayError } from '../../spec/error.ts';
import { quoteCommand } from '../process/run.ts';
import { encode, integer, octets, oid, sequence } from '../authenticode/der.ts';
import { SHA256_DIGEST_INFO } from '../authenticode/signer.ts';

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** Firmware must support RSA-2048 (UEFI 2.10, 32.4.1), and much of it supports nothing else. */
const RSA_BITS = 2048;
/** 16 MiB and 5 rounds (OWASP); more memory than 32 MiB is refused by OpenSSL when it reads the key. */
const SCRYPT = { N: 2 ** 14, r: 8, p: 5 } as const;
const PBES2 = '1.2.840.113549.1.5.13';
const SCRYPT_OID = '1.3.6.1.4.1.11591.4.11';
const AES_256_CBC = '2.16.840.1.101.3.4.1.42';

export function generateRsaKey(): Promise<KeyPair> {
  return promisify(generateKeyPair)('rsa', { modulusLength: RSA_BITS });
}

/** RSASSA-PKCS1-v1_5 over a SHA-256 digest. */
export function signDigest(privateKey: KeyObject, digest: Uint8Array): Uint8Array {
  const digestInfo = Buffer.concat([SHA256_DIGEST_INFO, digest]);
  return privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, digestInfo);
}

/** The key as PKCS#8 PEM; with a passphrase under PBES2 with scrypt (RFC 7914) and AES-256. */
export async function privateKeyToPem(key: KeyObject, passphrase?: string): Promise<string> {
  if (passphrase === undefined) return key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const salt = randomBytes(16);
  const initialVector = randomBytes(16);
  const secret = await (promisify(scrypt) as ScryptWithOptions)(passphrase, salt, 32, SCRYPT);
  const cipher = createCipheriv('aes-256-cbc', secret, initialVector);
  const encrypted = Buffer.concat([
    cipher.update(key.export({ type: 'pkcs8', format: 'der' })),
    cipher.final(),
  ]);
  const derivation = sequence(octets(salt), integer(SCRYPT.N), integer(SCRYPT.r), integer(SCRYPT.p));
  const scheme = sequence(
    oid(PBES2),
    sequence(sequence(oid(SCRYPT_OID), derivation), sequence(oid(AES_256_CBC), octets(initialVector))),
  );
  const base64 = Buffer.from(encode(sequence(scheme, octets(encrypted)))).toString('base64');
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${lines.join('\n')}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
}

/** Refuses a private key that others on this computer may read. */
export async function checkPrivateKeyMode(path: string): Promise<void> {
  const { mode } = await stat(path);
  if ((mode & 0o077) === 0) return;
  throw new SlipwayError(
    'keys.readable-by-others',
    `the private key ${path} may be read or changed by others (mode ${(mode & 0o777).toString(8).padStart(4, '0')})`,
    { hint: `run: ${quoteCommand(['chmod', '0600', path])}` },
  );
}

/** Reads a private key, asking for the passphrase only where it is encrypted. */
export async function readPrivateKey(
  path: string,
  passphrase: () => Promise<string | undefined>,
): Promise<KeyObject> {
  await checkPrivateKeyMode(path);
  const pem = await readFile(path, 'utf8');
  if (!pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----')) {
    return parsePrivateKey(path, { key: pem });
  }
  const secret = await passphrase();
  if (secret === undefined) {
    throw new SlipwayError('keys.passphrase-missing', `the private key ${path} is encrypted`, {
      hint: 'give its passphrase in SLIPWAY_PASSPHRASE, or in a file that SLIPWAY_PASSPHRASE_FILE names',
    });
  }
  return parsePrivateKey(path, { key: pem, passphrase: secret });
}

/** OpenSSL's own message may quote what it was given, so it is not passed on. */
function parsePrivateKey(path: string, input: { key: string; passphrase?: string }): KeyObject {
  try {
    return createPrivateKey(input);
  } catch {
    throw input.passphrase === undefined
      ? new SlipwayError('keys.unreadable', `${path} holds no private key in PKCS#8 PEM`)
      : new SlipwayError('keys.wrong-passphrase', `the passphrase does not open ${path}`);
  }
}

type ScryptWithOptions = (
  password: string,
  salt: Uint8Array,
  length: number,
  options: { N: number; r: number; p: number },
) => Promise<Buffer>;

/** Where a private half is: in a file, in an encrypted file, with a program, or not here. */
export type PrivateKeyPlace = 'file' | 'encrypted file' | 'command' | 'absent';

/** What a private key's file is, unopened. Throws `keys.readable-by-others`. */
export async function privateKeyFile(path: string): Promise<Exclude<PrivateKeyPlace, 'command'>> {
  if (!existsSync(path)) return 'absent';
  await checkPrivateKeyMode(path);
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
    return buffer.subarray(0, bytesRead).includes('BEGIN ENCRYPTED') ? 'encrypted file' : 'file';
  } finally {
    await file.close();
  }
}
