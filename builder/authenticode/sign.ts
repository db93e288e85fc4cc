/** Signs PE images for Secure Boot. */
import { SlipwayError } from '../../spec/error.ts';
import { align } from '../pe/append.ts';
import { parsePe, viewOf } from '../pe/parse.ts';
import { algorithm, bits, encode, octets, oid, OID, sequence, tagged, taggedBytes, type Der } from './der.ts';
import { authenticodeDigest } from './digest.ts';
import { signEnclosed } from './signed-data.ts';
import type { Signer } from './signer.ts';

const WIN_CERT_REVISION_2_0 = 0x0200;
const WIN_CERT_TYPE_PKCS_SIGNED_DATA = 0x0002;
const WIN_CERTIFICATE_HEADER_BYTES = 8;

/**
 * The image with one signature. The same image and signer give the same bytes: unlike sbsign's, the signature has no signing time
 * (decisions 6). The signer's chain is inside, so that a `db` that holds only the CA accepts it.
 */
export async function signPe(image: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const pe = parsePe(image);
  if (pe.security !== undefined) {
    throw new SlipwayError('pe.signed', 'the PE image is signed already', {
      hint: 'removeSignatures() first',
    });
  }
  const content = spcIndirectData(authenticodeDigest(image));
  const signedData = await signEnclosed(OID.spcIndirectData, content, signer);
  const pkcs7 = encode(sequence(oid(OID.signedData), tagged(0, signedData)));

  const offset = align(image.length, 8);
  const length = WIN_CERTIFICATE_HEADER_BYTES + pkcs7.length;
  const result = new Uint8Array(offset + align(length, 8));
  result.set(image);
  result.set(pkcs7, offset + WIN_CERTIFICATE_HEADER_BYTES);
  const view = viewOf(result);
  view.setUint32(offset, length, true);
  view.setUint16(offset + 4, WIN_CERT_REVISION_2_0, true);
  view.setUint16(offset + 6, WIN_CERT_TYPE_PKCS_SIGNED_DATA, true);
  view.setUint32(pe.securityEntryOffset, offset, true);
  view.setUint32(pe.securityEntryOffset + 4, align(length, 8), true);
  return result;
}

/** The image as it was before it was signed, where its signatures are the last thing in it (they always are). */
export function removeSignatures(image: Uint8Array): Uint8Array {
  const pe = parsePe(image);
  if (pe.security === undefined) return image;
  if (pe.security.offset + pe.security.size !== image.length) {
    throw new SlipwayError('pe.invalid', 'there is something behind the signatures of the PE image');
  }
  const result = Uint8Array.from(image.subarray(0, pe.security.offset));
  result.fill(0, pe.securityEntryOffset, pe.securityEntryOffset + 8);
  return result;
}

/** `SpcIndirectDataContent`: a PE image, and its digest. `SpcPeImageData.file` is obsolete, and required. */
function spcIndirectData(digest: Uint8Array): Der {
  const obsolete = Buffer.from('<<<Obsolete>>>', 'utf16le').swap16();
  return sequence(
    sequence(
      oid(OID.spcPeImageData),
      sequence(bits(new Uint8Array(0)), tagged(0, tagged(2, taggedBytes(0, obsolete)))),
    ),
    sequence(algorithm(OID.sha256), octets(digest)),
  );
}
