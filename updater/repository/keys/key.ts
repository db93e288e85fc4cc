/** Ed25519 keys (RFC 8032) as TUF writes them, and what signs with one. */
import { canonicalize } from '@tufjs/canonical-json';
import { createHash, generateKeyPair, sign, verify, createPublicKey, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { SlipwayError } from '../../../spec/error.ts';

/** A public key in `keys` of root.json or of a delegation. */
export interface TufKey {
  readonly keytype: 'ed25519';
  readonly scheme: 'ed25519';
  /** 64 hexadecimal digits. */
  readonly keyval: { readonly public: string };
}

/** Signs for one key: with a file, or with a program. */
export interface TufSigner {
  readonly keyId: string;
  readonly key: TufKey;
  /** The raw signature, 64 bytes, of the message itself. */
  sign(message: Uint8Array): Promise<Uint8Array>;
}

/** DER of a SubjectPublicKeyInfo for Ed25519, up to its 32 bytes of key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const SIGNATURE_BYTES = 64;

export function tufKey(publicKey: KeyObject): TufKey {
  if (publicKey.asymmetricKeyType !== 'ed25519') {
    throw new SlipwayError('keys.invalid', 'keys of update metadata are Ed25519 keys, and this is none');
  }
  const der = publicKey.export({ type: 'spki', format: 'der' });
  return {
    keytype: 'ed25519',
    scheme: 'ed25519',
    keyval: { public: der.subarray(SPKI_PREFIX.length).toString('hex') },
  };
}

/** TUF 4.2.1: SHA-256 of the key's canonical form. */
export function keyIdOf(key: TufKey): string {
  return createHash('sha256').update(canonicalize(key)).digest('hex');
}

export async function generateTufKey(): Promise<{ readonly key: TufKey; readonly privateKey: KeyObject }> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('ed25519');
  return { key: tufKey(publicKey), privateKey };
}

export function verifySignature(key: TufKey, message: Uint8Array, signature: Uint8Array): boolean {
  const der = Buffer.concat([SPKI_PREFIX, Buffer.from(key.keyval.public, 'hex')]);
  return verify(
    null,
    message,
    createPublicKey({ key: der, format: 'der', type: 'spki' }),
    Buffer.from(signature),
  );
}

/** Each signature is checked before it is used: a program may hold another key than one thinks. */
export function checkedSigner(key: TufKey, name: string, signRaw: TufSigner['sign']): TufSigner {
  return {
    key,
    keyId: keyIdOf(key),
    sign: async (message) => {
      const signature = await signRaw(message);
      if (signature.length === SIGNATURE_BYTES && verifySignature(key, message, signature)) return signature;
      throw new SlipwayError('keys.wrong-signature', `${name} did not sign with the key ${keyIdOf(key)}`);
    },
  };
}

export function signWithKey(privateKey: KeyObject, message: Uint8Array): Uint8Array {
  return sign(null, message, privateKey);
}
