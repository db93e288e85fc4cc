/** PKCS#7 SignedData (RFC 2315) with one RSA and SHA-256 signer. */
import { createHash } from 'node:crypto';
import {
  algorithm,
  decode,
  encode,
  integer,
  octets,
  oid,
  OID,
  sequence,
  setOf,
  tagged,
  taggedSetOf,
  type Der,
} from './der.ts';
import { signMessage, type Signer } from './signer.ts';

/**
 * SignedData over `content` that is carried inside it, with authenticated attributes (content type and digest, and no signing time: the same
 * input gives the same bytes).
 */
export async function signEnclosed(contentType: string, content: Der, signer: Signer): Promise<Der> {
  const attributes = [
    sequence(oid(OID.contentType), setOf(oid(contentType))),
    sequence(oid(OID.messageDigest), setOf(octets(sha256(valueOf(encode(content)))))),
  ];
  const signature = await signMessage(signer, encode(setOf(...attributes)));
  return signedData(
    sequence(oid(contentType), tagged(0, content)),
    signer,
    [taggedSetOf(0, ...attributes)],
    signature,
  );
}

/** SignedData over bytes that stand elsewhere, without attributes: what UEFI variables want (UEFI 2.10, 8.2.2). */
export async function signDetached(content: Uint8Array, signer: Signer): Promise<Der> {
  return signedData(sequence(oid(OID.data)), signer, [], await signMessage(signer, content));
}

/** The contents of a DER value, without its tag and length. */
export function valueOf(der: Uint8Array): Uint8Array {
  const length = der[1] ?? 0;
  return der.subarray(length < 0x80 ? 2 : 2 + (length & 0x7f));
}

function signedData(contentInfo: Der, signer: Signer, attributes: Der[], signature: Uint8Array): Der {
  const signerInfo = sequence(
    integer(1),
    issuerAndSerialNumber(signer.certificate),
    algorithm(OID.sha256),
    ...attributes,
    algorithm(OID.rsaEncryption),
    octets(signature),
  );
  return sequence(
    integer(1),
    setOf(algorithm(OID.sha256)),
    contentInfo,
    tagged(0, ...[signer.certificate, ...signer.chain].map((certificate) => decode(certificate))),
    setOf(signerInfo),
  );
}

/** `TBSCertificate` is version, serial number, signature algorithm, issuer, ... */
function issuerAndSerialNumber(certificate: Uint8Array): Der {
  const [tbs] = children(decode(certificate));
  const fields = tbs === undefined ? [] : children(tbs);
  const [, serialNumber, , issuer] = fields;
  if (serialNumber === undefined || issuer === undefined) throw new RangeError('not an X.509 v3 certificate');
  return sequence(issuer, serialNumber);
}

/** The members of a constructed value; none of a primitive one. */
export function children(der: Der): readonly Der[] {
  const block = der.valueBlock as { readonly value?: unknown };
  return Array.isArray(block.value) ? (block.value as readonly Der[]) : [];
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}
