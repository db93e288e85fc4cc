/** Reads and checks the signatures of PE images. The bytes may be hostile. */
import * as asn1 from 'asn1js';
import { X509Certificate, createHash } from 'node:crypto';
import { SlipwayError } from '../../spec/error.ts';
import { align } from '../pe/append.ts';
import { parsePe, viewOf } from '../pe/parse.ts';
import { decode, encode, OID, type Der } from './der.ts';
import { authenticodeDigest } from './digest.ts';
import { children, valueOf } from './signed-data.ts';
import { verifyDigest } from './signer.ts';

export interface PeSignature {
  readonly signer: X509Certificate;
  /** All certificates that the signature carries, the signer's among them. */
  readonly certificates: readonly X509Certificate[];
  /** What does not fit; empty when the image is what the signer signed, and each certificate was issued by the next. */
  readonly problems: readonly string[];
  /** Ends in a certificate that issued itself, or in the last one that was found. */
  readonly chain: readonly X509Certificate[];
}

/** In the order in which they stand; none in an unsigned image. Throws `pe.signature` for one that cannot be read at all. */
export function readSignatures(image: Uint8Array): readonly PeSignature[] {
  const pe = parsePe(image);
  if (pe.security === undefined) return [];
  const { offset, size } = pe.security;
  const view = viewOf(image);
  const signatures: PeSignature[] = [];
  for (let at = offset; at < offset + size;) {
    const length = view.getUint32(at, true);
    if (length < 8 || at + length > offset + size) throw unreadable('its length is wrong');
    if (view.getUint16(at + 6, true) === 2) {
      signatures.push(readSignature(image, image.subarray(at + 8, at + length)));
    }
    at += align(length, 8);
  }
  return signatures;
}

/** Whether the chain ends in this certificate, or in one that it issued: what firmware asks of each entry in `db`. */
export function isTrustedBy(signature: PeSignature, trusted: Uint8Array): boolean {
  const anchor = new X509Certificate(trusted);
  return signature.chain.some(
    (certificate) => certificate.raw.equals(anchor.raw) || certificate.verify(anchor.publicKey),
  );
}

function readSignature(image: Uint8Array, pkcs7: Uint8Array): PeSignature {
  try {
    return check(image, decode(pkcs7, 'padding'));
  } catch (error) {
    if (error instanceof SlipwayError && error.code !== 'pe.gap') throw error;
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  }
}

function check(image: Uint8Array, contentInfo: Der): PeSignature {
  // PKCS#7: version, digestAlgorithms, contentInfo, [0] certificates, ([1] crls), signerInfos
  const signedData = child(child(contentInfo, 1), 0);
  const content = child(child(child(signedData, 2), 1), 0);
  const certificates = children(child(signedData, 3)).map((der) => new X509Certificate(encode(der)));
  const signerInfo = child(child(signedData, -1), 0);
  const [issuer, serialNumber] = children(child(signerInfo, 1));
  const signer = certificates.find((certificate) => isNamed(certificate, issuer, serialNumber));
  if (signer === undefined) throw unreadable('it does not carry its signer’s certificate');

  const problems: string[] = [];
  // SpcIndirectDataContent: data, then DigestInfo (algorithm, digest)
  const signedDigest = bytesOf(child(child(content, 1), 1));
  if (!signedDigest.equals(authenticodeDigest(image))) problems.push('the image was changed after signing');
  const attributes = child(signerInfo, 3);
  const messageDigest = children(attributes).find(
    (attribute) => oidOf(child(attribute, 0)) === OID.messageDigest,
  );
  const contentDigest = sha256(valueOf(encode(content)));
  if (messageDigest === undefined || !bytesOf(child(child(messageDigest, 1), 0)).equals(contentDigest)) {
    problems.push('the signed content was changed');
  }
  // The signature is over the attributes as a SET, not as the [0] that stands in the file.
  const asSet = Buffer.from(encode(attributes));
  asSet[0] = 0x31;
  const signature = bytesOf(child(signerInfo, 5));
  if (!verifyDigest(signer.raw, sha256(asSet), signature)) problems.push('the signature is not the signer’s');
  return { signer, certificates, problems, chain: chainOf(signer, certificates) };
}

function chainOf(
  signer: X509Certificate,
  certificates: readonly X509Certificate[],
): readonly X509Certificate[] {
  const chain = [signer];
  for (let last = signer; chain.length <= certificates.length;) {
    if (last.checkIssued(last)) return chain;
    const issuer = certificates.find(
      (candidate) => last.checkIssued(candidate) && last.verify(candidate.publicKey),
    );
    if (issuer === undefined) return chain;
    chain.push(issuer);
    last = issuer;
  }
  return chain;
}

/** `TBSCertificate` is version, serial number, signature algorithm, issuer, ... */
function isNamed(certificate: X509Certificate, issuer: Der | undefined, serial: Der | undefined): boolean {
  if (issuer === undefined || serial === undefined) return false;
  const tbs = child(decode(certificate.raw), 0);
  const same = (a: Der, b: Der): boolean => Buffer.from(encode(a)).equals(encode(b));
  return same(child(tbs, 1), serial) && same(child(tbs, 3), issuer);
}

function child(der: Der, index: number): Der {
  const found = children(der).at(index);
  if (found === undefined) throw new RangeError('it is not built as PKCS#7 signatures are');
  return found;
}

function bytesOf(der: Der): Buffer {
  if (der instanceof asn1.OctetString) return Buffer.from(der.getValue());
  throw new RangeError('there is no octet string where one belongs');
}

function oidOf(der: Der): string | undefined {
  return der instanceof asn1.ObjectIdentifier ? der.getValue() : undefined;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function unreadable(what: string, cause?: unknown): SlipwayError {
  return new SlipwayError('pe.signature', `the PE image carries a signature that cannot be read: ${what}`, {
    cause,
  });
}
