/** As crypto.ts, with all that the TUF specification names: for the conformance client, which follows other people's repositories. */
import './bigint.ts';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes } from '@noble/hashes/utils.js';
import { hashChain } from './hash.ts';
import { parsePublicKey, toBigInt, type PublicKey } from './spki.ts';

const HASHES = { sha256, sha384, sha512 };
type HashName = keyof typeof HASHES;

interface VerifyKey {
  readonly key: PublicKey;
}

export default {
  createHash(algorithm: string) {
    return hashChain(HASHES[hashName(algorithm)].create());
  },

  createPublicKey: (options: { readonly key: Uint8Array } | string): PublicKey =>
    parsePublicKey(typeof options === 'string' ? options : options.key),

  verify(
    algorithm: string | undefined,
    message: Uint8Array,
    { key }: VerifyKey,
    signature: Uint8Array,
  ): boolean {
    switch (key.asymmetricKeyType) {
      case 'ed25519':
        return ed25519.verify(signature, message, key.bytes, { zip215: false });
      case 'ec': {
        const curve = key.asymmetricKeyDetails.namedCurve === 'prime256v1' ? p256 : p384;
        return curve.verify(signature, message, key.bytes, { format: 'der', lowS: false, prehash: true });
      }
      case 'rsa':
        return verifyPss(hashName(algorithm ?? ''), message, key, signature);
    }
  },

  constants: { RSA_PKCS1_PSS_PADDING: 6 },
};

/** RFC 8017, 8.1.2 and 9.1.2, with MGF1 over the same hash, and any length of salt. */
function verifyPss(
  algorithm: HashName,
  message: Uint8Array,
  { modulus, exponent }: Extract<PublicKey, { asymmetricKeyType: 'rsa' }>,
  signature: Uint8Array,
): boolean {
  const hash = HASHES[algorithm];
  const modulusBits = modulus.toString(2).length;
  const value = toBigInt(signature);
  if (signature.length !== Math.ceil(modulusBits / 8) || value >= modulus) return false;
  const encodedBits = modulusBits - 1;
  const encoded = toBytes(power(value, exponent, modulus), Math.ceil(encodedBits / 8));
  const hashLength = hash.outputLen;
  const maskLength = encoded.length - hashLength - 1;
  if (maskLength < 1 || encoded.at(-1) !== 0xbc) return false;
  const digest = encoded.subarray(maskLength, maskLength + hashLength);
  const mask = generateMask(hash, digest, maskLength);
  const block = encoded.subarray(0, maskLength).map((byte, index) => byte ^ (mask[index] ?? 0));
  const unusedBits = 8 * encoded.length - encodedBits;
  if ((encoded[0] ?? 0) >> (8 - unusedBits) !== 0) return false;
  block[0] = (block[0] ?? 0) & (0xff >> unusedBits);
  const separator = block.findIndex((byte) => byte !== 0);
  if (separator < 0 || block[separator] !== 0x01) return false;
  const salt = block.subarray(separator + 1);
  const expected = hash(concatBytes(new Uint8Array(8), hash(message), salt));
  return bytesToHex(expected) === bytesToHex(digest);
}

function generateMask(hash: (typeof HASHES)[HashName], seed: Uint8Array, length: number): Uint8Array {
  const parts: Uint8Array[] = [];
  for (let counter = 0; parts.length * hash.outputLen < length; counter++)
    parts.push(
      hash(concatBytes(seed, Uint8Array.of(counter >>> 24, counter >>> 16, counter >>> 8, counter))),
    );
  return concatBytes(...parts).subarray(0, length);
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (const bit of exponent.toString(2)) {
    result = (result * result) % modulus;
    if (bit === '1') result = (result * base) % modulus;
  }
  return result;
}

function toBytes(value: bigint, length: number): Uint8Array {
  const hex = value.toString(16).padStart(2 * length, '0');
  return Uint8Array.from({ length }, (_, index) => Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16));
}

function hashName(algorithm: string): HashName {
  if (algorithm in HASHES) return algorithm as HashName;
  throw new Error(`${algorithm} is not known`);
}
