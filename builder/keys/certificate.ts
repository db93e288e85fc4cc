/** X.509 certificates (RFC 5280) for Secure Boot: a self-signed key, a CA, a leaf that signs code. */
import * as asn1 from 'asn1js';
import { X509Certificate, createHash, type KeyObject } from 'node:crypto';
import {
  algorithm,
  bits,
  decode,
  encode,
  octets,
  oid,
  OID,
  sequence,
  setOf,
  tagged,
  taggedBytes,
  type Der,
} from '../authenticode/der.ts';
import { children } from '../authenticode/signed-data.ts';

export interface CertificateRequest {
  readonly commonName: string;
  readonly organization: string;
  readonly publicKey: KeyObject;
  /** `variable` signs UEFI variables, `authority` signs certificates, `code` signs PE images. */
  readonly use: 'variable' | 'authority' | 'code';
  /** 16 random bytes. */
  readonly serialNumber: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

export interface CertificateIssuer {
  /** DER; itself when absent. */
  readonly certificate?: Uint8Array;
  sign(digest: Uint8Array): Promise<Uint8Array>;
}

const OIDS = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  codeSigning: '1.3.6.1.5.5.7.3.3',
} as const;
/** First byte and unused bits of the `KeyUsage` bit string. */
const KEY_USAGE = { digitalSignature: { byte: 0x80, unused: 7 }, keyCertSign: { byte: 0x06, unused: 1 } };

/** The certificate, DER. */
export async function makeCertificate(
  request: CertificateRequest,
  issuer: CertificateIssuer,
): Promise<Uint8Array> {
  const publicKeyInfo = request.publicKey.export({ type: 'spki', format: 'der' });
  const subject = name(request.organization, request.commonName);
  const issuing =
    issuer.certificate === undefined
      ? { name: subject, publicKeyInfo }
      : {
          name: subjectOf(issuer.certificate),
          publicKeyInfo: new X509Certificate(issuer.certificate).publicKey.export({
            type: 'spki',
            format: 'der',
          }),
        };
  const tbsCertificate = sequence(
    tagged(0, new asn1.Integer({ value: 2 })),
    serial(request.serialNumber),
    algorithm(OID.sha256WithRsa),
    issuing.name,
    sequence(time(request.notBefore), time(request.notAfter)),
    subject,
    decode(publicKeyInfo),
    tagged(3, sequence(...extensions(request.use, publicKeyInfo, issuing.publicKeyInfo))),
  );
  const signature = await issuer.sign(createHash('sha256').update(encode(tbsCertificate)).digest());
  return encode(sequence(tbsCertificate, algorithm(OID.sha256WithRsa), bits(signature)));
}

export function certificateToPem(certificate: Uint8Array): string {
  const lines =
    Buffer.from(certificate)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

/** SHA-256 over the DER certificate, as hex: what tools show as its fingerprint. */
export function fingerprint(certificate: Uint8Array): string {
  return createHash('sha256').update(certificate).digest('hex');
}

function extensions(use: CertificateRequest['use'], subjectKey: Uint8Array, issuerKey: Uint8Array): Der[] {
  const usage = use === 'authority' ? KEY_USAGE.keyCertSign : KEY_USAGE.digitalSignature;
  const constraints =
    use === 'authority'
      ? // A leaf may come below it, no further CA.
        sequence(new asn1.Boolean({ value: true }), new asn1.Integer({ value: 0 }))
      : sequence();
  return [
    extension(OIDS.basicConstraints, constraints, 'critical'),
    extension(OIDS.keyUsage, bits(Uint8Array.of(usage.byte), usage.unused), 'critical'),
    ...(use === 'code' ? [extension(OIDS.extendedKeyUsage, sequence(oid(OIDS.codeSigning)))] : []),
    extension(OIDS.subjectKeyIdentifier, octets(keyIdentifier(subjectKey))),
    extension(OIDS.authorityKeyIdentifier, sequence(taggedBytes(0, keyIdentifier(issuerKey)))),
  ];
}

function extension(identifier: string, value: Der, critical?: 'critical'): Der {
  const flag = critical === undefined ? [] : [new asn1.Boolean({ value: true })];
  return sequence(oid(identifier), ...flag, octets(encode(value)));
}

/** RFC 7093, 2 (1): the leftmost 160 bits of the SHA-256 of the public key. */
function keyIdentifier(publicKeyInfo: Uint8Array): Uint8Array {
  return createHash('sha256').update(publicKeyInfo).digest().subarray(0, 20);
}

function name(organization: string, commonName: string): Der {
  const part = (type: string, value: string): Der =>
    setOf(sequence(oid(type), new asn1.Utf8String({ value })));
  return sequence(part(OIDS.organization, organization), part(OIDS.commonName, commonName));
}

/** `TBSCertificate` is version, serial number, signature algorithm, issuer, validity, subject, ... */
function subjectOf(certificate: Uint8Array): Der {
  const [tbs] = children(decode(certificate));
  const subject = tbs === undefined ? undefined : children(tbs)[5];
  if (subject === undefined) throw new RangeError('not an X.509 v3 certificate');
  return subject;
}

/** Positive, and not zero in its first byte: DER integers are signed and have no needless bytes. */
function serial(random: Uint8Array): Der {
  const bytes = Uint8Array.from(random);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return new asn1.Integer({ valueHex: bytes.buffer });
}

/** RFC 5280, 4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050; whole seconds. */
function time(exact: Date): Der {
  const date = new Date(Math.floor(exact.getTime() / 1000) * 1000);
  return date.getUTCFullYear() < 2050
    ? new asn1.UTCTime({ valueDate: date })
    : new asn1.GeneralizedTime({ valueDate: date });
}
