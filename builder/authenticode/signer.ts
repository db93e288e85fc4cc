/** Who signs. */
import { X509Certificate, constants, createHash, publicDecrypt } from 'node:crypto';
import { SlipwayError } from '../../spec/error.ts';

export interface Signer {
  /** X.509, DER. */
  readonly certificate: Uint8Array;
  /** Its issuers, nearest first, up to the one in `db`; DER. */
  readonly chain: readonly Uint8Array[];
  /** RSASSA-PKCS1-v1_5 signature over a SHA-256 digest (32 bytes); nothing else ever leaves the signer. */
  sign(digest: Uint8Array): Promise<Uint8Array>;
}

/** `DigestInfo` of SHA-256 up to the digest itself (RFC 8017, 9.2, note 1). */
export const SHA256_DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');

/** Signs `message` and checks the answer against the certificate, since a signer may be any program. */
export async function signMessage(signer: Signer, message: Uint8Array): Promise<Uint8Array> {
  const digest = createHash('sha256').update(message).digest();
  const signature = await signer.sign(digest);
  if (!verifyDigest(signer.certificate, digest, signature)) {
    const { subject } = new X509Certificate(signer.certificate);
    throw new SlipwayError(
      'sign.wrong-signature',
      `the signer returned ${signature.length} bytes that are no signature of ${subject.replaceAll('\n', ', ')}`,
      {
        hint: 'it must return the raw RSASSA-PKCS1-v1_5 signature over the SHA-256 digest that it reads, made with that certificate’s key',
      },
    );
  }
  return signature;
}

/** Whether `signature` is the certificate's over this SHA-256 digest. */
export function verifyDigest(certificate: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean {
  try {
    const key = new X509Certificate(certificate).publicKey;
    const opened = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    return opened.equals(Buffer.concat([SHA256_DIGEST_INFO, digest]));
  } catch {
    return false;
  }
}
