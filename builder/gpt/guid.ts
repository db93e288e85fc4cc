/** GUIDs as firmware writes them: the first three fields in little-endian order. */
import { createHash } from 'node:crypto';

/** 16 bytes of `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`. */
export function guidBytes(guid: string): Uint8Array {
  const hex = guid.replaceAll('-', '');
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new RangeError(`not a GUID: ${guid}`);
  return swapped(Buffer.from(hex, 'hex'));
}

export function guidFromBytes(bytes: Uint8Array): string {
  if (bytes.length !== 16) throw new RangeError('a GUID has 16 bytes');
  return uuidFromBytes(swapped(bytes));
}

/** The text of a UUID whose bytes stand in big-endian order (RFC 9562), as file systems write it. */
export function uuidFromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A UUID of version 8 (RFC 9562) that the same words always give: nothing in an image is random. */
export function derivedUuid(...words: readonly string[]): string {
  const bytes = createHash('sha256').update(words.join('\0')).digest().subarray(0, 16);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return uuidFromBytes(bytes);
}

function swapped(bytes: Uint8Array): Uint8Array {
  const result = Uint8Array.from(bytes);
  result.subarray(0, 4).reverse();
  result.subarray(4, 6).reverse();
  result.subarray(6, 8).reverse();
  return result;
}
