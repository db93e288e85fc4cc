/**
 * Who signed a PE image: the certificates that its Authenticode signatures carry (PE format, "The Attribute Certificate Table"; RFC 2315, 9.1). They are not
 * verified here, the firmware does that; only where to find them is asked. The bytes may be anything.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

export interface ImageCertificate {
  /** SHA-256 of the certificate, and of its to-be-signed part: what `db` and `dbx` name it by. */
  readonly digest: string;
  readonly tbs: string;
}

/** Bytes of the image; fewer where it ends. */
export type ReadAt = (offset: number, length: number) => Uint8Array;

const HEADER_BYTES = 4096;
const MAX_TABLE_BYTES = 65_536;
const SECURITY_DIRECTORY = 4;
const PKCS_SIGNED_DATA = 2;
const SEQUENCE = 0x30;
const CONTEXT_0 = 0xa0;

/** Of all its signatures together; none where it is unsigned; `undefined` where it is no PE image, or its signature cannot be read. */
export function imageCertificates(read: ReadAt): readonly ImageCertificate[] | undefined {
  try {
    const place = certificateTable(read(0, HEADER_BYTES));
    if (place.size === 0) return [];
    const table = read(place.offset, place.size);
    if (table.length < place.size) return undefined;
    return signatures(table).flatMap(certificatesOf);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

function certificateTable(header: Uint8Array): { readonly offset: number; readonly size: number } {
  const view = viewOf(header);
  const pe = view.getUint32(0x3c, true);
  if (view.getUint16(0, true) !== 0x5a4d || view.getUint32(pe, true) !== 0x4550)
    throw new RangeError('no PE');
  const optional = pe + 24;
  // PE32+ has wider fields in front of its directories.
  const directories = optional + (view.getUint16(optional, true) === 0x20b ? 112 : 96);
  if (view.getUint32(directories - 4, true) <= SECURITY_DIRECTORY) return { offset: 0, size: 0 };
  const [offset, size] = [0, 4].map((at) => view.getUint32(directories + 8 * SECURITY_DIRECTORY + at, true));
  if (size! > MAX_TABLE_BYTES) throw new RangeError('its table is too long');
  return { offset: offset!, size: size! };
}

/** WIN_CERTIFICATE: length with these 8 bytes, revision, type; the next one begins at a multiple of 8. */
function signatures(table: Uint8Array): readonly Uint8Array[] {
  const view = viewOf(table);
  const found: Uint8Array[] = [];
  for (let at = 0; at + 8 <= table.length;) {
    const length = view.getUint32(at, true);
    if (length < 8 || at + length > table.length) throw new RangeError('its length is wrong');
    if (view.getUint16(at + 6, true) === PKCS_SIGNED_DATA) found.push(table.subarray(at + 8, at + length));
    at += Math.ceil(length / 8) * 8;
  }
  return found;
}

/** ContentInfo: type, [0] SignedData: version, digestAlgorithms, contentInfo, [0] certificates, ... */
function certificatesOf(pkcs7: Uint8Array): readonly ImageCertificate[] {
  const contentInfo = members(first(pkcs7, SEQUENCE));
  const signedData = members(first(member(contentInfo, 1, CONTEXT_0).content, SEQUENCE));
  return members(member(signedData, 3, CONTEXT_0)).map(({ whole, content }) => ({
    digest: bytesToHex(sha256(whole)),
    tbs: bytesToHex(sha256(first(content, SEQUENCE).whole)),
  }));
}

interface Value {
  readonly tag: number;
  /** With tag and length. */
  readonly whole: Uint8Array;
  readonly content: Uint8Array;
}

function members({ content }: Value): readonly Value[] {
  const found: Value[] = [];
  for (let rest = content; rest.length > 0; rest = rest.subarray(found.at(-1)!.whole.length))
    found.push(value(rest));
  return found;
}

function member(values: readonly Value[], index: number, tag: number): Value {
  const found = values[index];
  if (found?.tag !== tag) throw new RangeError('it is not built as signatures are');
  return found;
}

function first(bytes: Uint8Array, tag: number): Value {
  return member([value(bytes)], 0, tag);
}

/** DER: one byte of tag, a definite length. */
function value(bytes: Uint8Array): Value {
  const [tag, short] = bytes;
  if (tag === undefined || short === undefined) throw new RangeError('it ends early');
  const more = short < 0x80 ? 0 : short & 0x7f;
  if (more > 3 || short === 0x80) throw new RangeError('its length is not definite');
  const length = more === 0 ? short : bytes.subarray(2, 2 + more).reduce((sum, byte) => sum * 256 + byte, 0);
  const end = 2 + more + length;
  if (end > bytes.length) throw new RangeError('it ends early');
  return { tag, whole: bytes.subarray(0, end), content: bytes.subarray(2 + more, end) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
