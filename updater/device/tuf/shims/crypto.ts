/** The little of Node's `crypto` that tuf-js's models use, for QuickJS: SHA-256 and Ed25519, which is all that our metadata has. */
import './bigint.ts';
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { hexToBytes } from '@noble/hashes/utils.js';
import { hashChain } from './hash.ts';

interface PublicKey {
  readonly asymmetricKeyType: 'ed25519';
  readonly bytes: Uint8Array;
}

/** RFC 8410: a SubjectPublicKeyInfo for Ed25519, up to its 32 bytes of key. */
const SPKI_PREFIX = '302a300506032b6570032100';

// A table of multiples of the base point pays from the sixth signature on; a poll verifies one.
ed25519.Point.BASE.precompute(1);

export default {
  createHash(algorithm: string) {
    if (algorithm !== 'sha256') throw new Error(`${algorithm} is not known`);
    return hashChain(sha256.create());
  },

  createPublicKey(options: { readonly key: Uint8Array } | string): PublicKey {
    if (typeof options === 'string') throw new Error('keys in PEM are not known');
    const { key } = options;
    const prefix = hexToBytes(SPKI_PREFIX);
    if (key.length !== prefix.length + 32 || prefix.some((byte, index) => key[index] !== byte))
      throw new Error('not an Ed25519 key');
    return { asymmetricKeyType: 'ed25519', bytes: Uint8Array.from(key.subarray(prefix.length)) };
  },

  /** RFC 8032 to the letter: no encodings that other implementations refuse. */
  verify(
    _algorithm: unknown,
    message: Uint8Array,
    { key }: { readonly key: PublicKey },
    signature: Uint8Array,
  ): boolean {
    return ed25519.verify(signature, message, key.bytes, { zip215: false });
  },

  constants: {},
};
