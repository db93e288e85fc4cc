/** DER in the words of its standards, over asn1js. */
import * as asn1 from 'asn1js';

export type Der = asn1.BaseBlock;

export const OID = {
  sha256: '2.16.840.1.101.3.4.2.1',
  rsaEncryption: '1.2.840.113549.1.1.1',
  sha256WithRsa: '1.2.840.113549.1.1.11',
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  contentType: '1.2.840.113549.1.9.3',
  messageDigest: '1.2.840.113549.1.9.4',
  signingTime: '1.2.840.113549.1.9.5',
  spcIndirectData: '1.3.6.1.4.1.311.2.1.4',
  spcPeImageData: '1.3.6.1.4.1.311.2.1.15',
} as const;

export function sequence(...value: readonly Der[]): Der {
  return new asn1.Sequence({ value: [...value] });
}

/** SET OF: DER wants its members in the order of their encodings. */
export function setOf(...value: readonly Der[]): Der {
  return new asn1.Set({ value: inDerOrder(value) });
}

export function oid(value: string): Der {
  return new asn1.ObjectIdentifier({ value });
}

export function integer(value: number): Der {
  return new asn1.Integer({ value });
}

export function octets(bytes: Uint8Array): Der {
  return new asn1.OctetString({ valueHex: buffer(bytes) });
}

export function bits(bytes: Uint8Array, unusedBits = 0): Der {
  return new asn1.BitString({ valueHex: buffer(bytes), unusedBits });
}

/** `[tag] EXPLICIT`, and `[tag] IMPLICIT` of something constructed (whose members are given). */
export function tagged(tag: number, ...value: readonly Der[]): Der {
  return new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber: tag }, value: [...value] });
}

/** `[tag] IMPLICIT SET OF`. */
export function taggedSetOf(tag: number, ...value: readonly Der[]): Der {
  return tagged(tag, ...inDerOrder(value));
}

/** `[tag] IMPLICIT` of something primitive. */
export function taggedBytes(tag: number, bytes: Uint8Array): Der {
  return new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber: tag }, valueHex: buffer(bytes) });
}

/** `AlgorithmIdentifier` with NULL parameters, as RSA and SHA-256 have them. */
export function algorithm(identifier: string): Der {
  return sequence(oid(identifier), new asn1.Null());
}

export function encode(der: Der): Uint8Array {
  return new Uint8Array(der.toBER());
}

/** One value and nothing behind it; throws `RangeError` on anything else. Trailing zeros (a PE's padding) may be allowed. */
export function decode(bytes: Uint8Array, after: 'nothing' | 'padding' = 'nothing'): Der {
  const { offset, result } = asn1.fromBER(buffer(bytes));
  if (offset === -1) throw new RangeError(`not DER: ${result.error}`);
  const rest = bytes.subarray(offset);
  if (rest.length > 0 && (after === 'nothing' || rest.some((byte) => byte !== 0))) {
    throw new RangeError('not DER: there are bytes behind its end');
  }
  return result;
}

function inDerOrder(value: readonly Der[]): Der[] {
  return [...value].sort((a, b) => Buffer.compare(encode(a), encode(b)));
}

function buffer(bytes: Uint8Array): ArrayBuffer {
  // Not `slice()`: a Buffer's is a view of a larger one.
  return Uint8Array.from(bytes).buffer;
}
