/** SubjectPublicKeyInfo (RFC 5280, RFC 5480, RFC 8410) of the kinds of keys that TUF names, from DER or PEM. */
import { bytesToHex } from '@noble/hashes/utils.js';

export type PublicKey =
  | { readonly asymmetricKeyType: 'ed25519'; readonly bytes: Uint8Array }
  | {
      readonly asymmetricKeyType: 'ec';
      readonly asymmetricKeyDetails: { readonly namedCurve: 'prime256v1' | 'secp384r1' };
      readonly bytes: Uint8Array;
    }
  | { readonly asymmetricKeyType: 'rsa'; readonly modulus: bigint; readonly exponent: bigint };

const SEQUENCE = 0x30;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;
const ED25519 = '2b6570';
const RSA = '2a864886f70d010101';
const EC = '2a8648ce3d0201';
const CURVES: Readonly<Record<string, 'prime256v1' | 'secp384r1'>> = {
  '2a8648ce3d030107': 'prime256v1',
  '2b81040022': 'secp384r1',
};

export function parsePublicKey(pemOrDer: string | Uint8Array): PublicKey {
  const der = typeof pemOrDer === 'string' ? fromPem(pemOrDer) : pemOrDer;
  const info = element(der, 0, SEQUENCE);
  const algorithm = element(der, info.start, SEQUENCE);
  const oid = element(der, algorithm.start, OBJECT_IDENTIFIER);
  const bits = element(der, algorithm.end, BIT_STRING);
  // The first byte of a bit string counts unused bits.
  const bytes = Uint8Array.from(der.subarray(bits.start + 1, bits.end));
  switch (bytesToHex(der.subarray(oid.start, oid.end))) {
    case ED25519:
      return { asymmetricKeyType: 'ed25519', bytes };
    case EC: {
      const curve = element(der, oid.end, OBJECT_IDENTIFIER);
      const namedCurve = CURVES[bytesToHex(der.subarray(curve.start, curve.end))];
      if (namedCurve === undefined) break;
      return { asymmetricKeyType: 'ec', asymmetricKeyDetails: { namedCurve }, bytes };
    }
    case RSA: {
      const key = element(bytes, 0, SEQUENCE);
      const modulus = element(bytes, key.start, INTEGER);
      const exponent = element(bytes, modulus.end, INTEGER);
      return {
        asymmetricKeyType: 'rsa',
        modulus: toBigInt(bytes.subarray(modulus.start, modulus.end)),
        exponent: toBigInt(bytes.subarray(exponent.start, exponent.end)),
      };
    }
  }
  throw new Error('an unknown kind of public key');
}

export function toBigInt(bytes: Uint8Array): bigint {
  return bytes.length === 0 ? 0n : BigInt(`0x${bytesToHex(bytes)}`);
}

function element(der: Uint8Array, at: number, tag: number): { start: number; end: number } {
  const byte = (index: number): number => {
    const value = der[index];
    if (value === undefined) throw new Error('DER ends too early');
    return value;
  };
  if (byte(at) !== tag) throw new Error('unexpected DER');
  let length = byte(at + 1);
  let start = at + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 3) throw new Error('unexpected DER');
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + byte(start + index);
    start += count;
  }
  if (start + length > der.length) throw new Error('DER ends too early');
  return { start, end: start + length };
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function fromPem(pem: string): Uint8Array {
  const body = /-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----/.exec(pem)?.[1];
  if (body === undefined) throw new Error('no public key in PEM');
  const bytes: number[] = [];
  let bits = 0;
  let count = 0;
  for (const character of body.replace(/[\s=]/g, '')) {
    bits = ((bits << 6) | BASE64.indexOf(character)) & 0xffff;
    count += 6;
    if (count >= 8) bytes.push((bits >> (count -= 8)) & 0xff);
  }
  return Uint8Array.from(bytes);
}
