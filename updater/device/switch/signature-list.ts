/** What Secure Boot's variables say: EFI_SIGNATURE_LISTs (UEFI specification, 32.4.1). Anybody with the firmware's setup may have written them. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { UkiContent } from '../../release/document.ts';
import type { ImageCertificate } from './pe-certificates.ts';

/** One list: a type, and entries of equal length, each behind its owner's GUID. */
const TYPES: Readonly<Record<string, SignatureType>> = {
  'a5c059a1-94e4-4aa7-87b5-ab155c2bf072': 'certificate',
  '3bd2a492-96c0-4079-b420-fcf98ef103ed': 'tbs-sha256',
  'c1c41626-504c-4092-aca9-41f936934328': 'image-sha256',
};
const HEADER_BYTES = 28;
const OWNER_BYTES = 16;

/** `certificate`: DER. `tbs-sha256`: digest of a certificate's to-be-signed part. `image-sha256`: Authenticode digest of one image. */
export type SignatureType = 'certificate' | 'tbs-sha256' | 'image-sha256';

export interface Signature {
  readonly type: SignatureType;
  /** Of a certificate its SHA-256, else the digest itself; hexadecimal. */
  readonly digest: string;
}

/** What can be read of it; a list that is cut short ends the reading. Other types (SHA-1, SHA-512, ...) are passed over. */
export function parseSignatureLists(bytes: Uint8Array): readonly Signature[] {
  const found: Signature[] = [];
  for (const { type, entries, entryBytes } of readLists(bytes).lists)
    for (let at = 0; type !== undefined && at + entryBytes <= entries.length; at += entryBytes) {
      const data = entries.subarray(at + OWNER_BYTES, at + entryBytes);
      // A digest of a certificate is followed by the time of its revocation.
      const digest = type === 'certificate' ? bytesToHex(sha256(data)) : bytesToHex(data.subarray(0, 32));
      found.push({ type, digest });
    }
  return found;
}

/** Whether all of it is lists of certificates, by themselves or by their digest: what this machine can judge the consequences of. */
export function isAllCertificates(bytes: Uint8Array): boolean {
  const { lists, readBytes } = readLists(bytes);
  return (
    lists.length > 0 &&
    readBytes === bytes.length &&
    lists.every(
      ({ type, entries, entryBytes }) =>
        (type === 'certificate' || type === 'tbs-sha256') &&
        entries.length > 0 &&
        entries.length % entryBytes === 0,
    )
  );
}

interface SignatureList {
  readonly type: SignatureType | undefined;
  readonly entries: Uint8Array;
  /** Of each, its owner included. */
  readonly entryBytes: number;
}

/** As many as are whole, and up to where they go. */
function readLists(bytes: Uint8Array): {
  readonly lists: readonly SignatureList[];
  readonly readBytes: number;
} {
  const lists: SignatureList[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  while (offset + HEADER_BYTES <= bytes.length) {
    const end = offset + view.getUint32(offset + 16, true);
    const start = offset + HEADER_BYTES + view.getUint32(offset + 20, true);
    const entryBytes = view.getUint32(offset + 24, true);
    if (start > end || end > bytes.length || entryBytes <= OWNER_BYTES) break;
    lists.push({ type: TYPES[guid(bytes, offset)], entries: bytes.subarray(start, end), entryBytes });
    offset = end;
  }
  return { lists, readBytes: offset };
}

export interface TrustedSigners {
  readonly db: readonly Signature[];
  readonly dbx: readonly Signature[];
}

/** Why firmware would not start what this signer signed; `undefined` where it would. */
export function distrust(signer: UkiContent['signer'], { db, dbx }: TrustedSigners): string | undefined {
  if (isRevoked(signer, dbx))
    return "the certificate that signed it is revoked in this machine's firmware (dbx)";
  const known = db.some(
    ({ type, digest }) => type === 'certificate' && [signer.issuer, signer.leaf].includes(digest),
  );
  return known ? undefined : "this machine's firmware does not know who signed it (db)";
}

/** The same of an image that lies here, by the certificates that its signature carries. */
export function distrustImage(
  certificates: readonly ImageCertificate[],
  { db, dbx }: TrustedSigners,
): string | undefined {
  if (isImageRevoked(certificates, dbx))
    return "a certificate that signed it is revoked in this machine's firmware (dbx)";
  const known = certificates.some(({ digest }) =>
    db.some((entry) => entry.type === 'certificate' && entry.digest === digest),
  );
  return known ? undefined : "this machine's firmware does not know who signed it (db)";
}

/** Firmware takes an entry of dbx against every certificate of the chain. */
export function isImageRevoked(
  certificates: readonly ImageCertificate[],
  dbx: readonly Signature[],
): boolean {
  return certificates.some(({ digest, tbs }) =>
    dbx.some(
      (entry) =>
        (entry.type === 'certificate' && entry.digest === digest) ||
        (entry.type === 'tbs-sha256' && entry.digest === tbs),
    ),
  );
}

export function isRevoked(signer: UkiContent['signer'], dbx: readonly Signature[]): boolean {
  return dbx.some(
    ({ type, digest }) =>
      (type === 'tbs-sha256' && digest === signer.leafTbs) ||
      (type === 'certificate' && (digest === signer.leaf || digest === signer.issuer)),
  );
}

function guid(bytes: Uint8Array, offset: number): string {
  const hex = (...indices: readonly number[]): string =>
    indices.map((index) => (bytes[offset + index] ?? 0).toString(16).padStart(2, '0')).join('');
  return [hex(3, 2, 1, 0), hex(5, 4), hex(7, 6), hex(8, 9), hex(10, 11, 12, 13, 14, 15)].join('-');
}
