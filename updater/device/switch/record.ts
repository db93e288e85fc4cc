/**
 * What a machine remembers of its updates over reboots: a file of 64 KiB that is written in place, so that a full state partition stops no
 * rollback. It holds two copies, written in turns, each with a number and a checksum: of a cut write the older one stays.
 *
 * ```
 * copy   0  "SLIPREC1"   8  sequence (u32)   12  length (u32)   16  CRC-32 of sequence, length and text (u32)   20  JSON, UTF-8
 * ```
 *
 * It lies on the state partition, so anybody may have written it: what is not exactly as expected is no record.
 */
import { crc32 } from '../../../spec/crc32.ts';
import { decodeUtf8, encodeUtf8 } from '../../../system/utf8.ts';
import { EMPTY_RECORD, type UpdateRecord } from './record-content.ts';
import { parseRecord } from './record-parser.ts';

export const RECORD_BYTES = 65_536;
export const COPY_BYTES = RECORD_BYTES / 2;
const MAGIC = encodeUtf8('SLIPREC1');
const HEADER_BYTES = 20;

export interface StoredRecord {
  readonly record: UpdateRecord;
  readonly sequence: number;
  /** 0 or 1; the next is written to the other. */
  readonly copy: number;
}

/** The newer of the copies that are whole; an empty record where none is. */
export function decodeRecord(file: Uint8Array | undefined): StoredRecord {
  const copies = [0, 1].flatMap((copy) => {
    const found = decodeCopy(
      (file ?? new Uint8Array(0)).subarray(copy * COPY_BYTES, (copy + 1) * COPY_BYTES),
    );
    return found === undefined ? [] : [{ ...found, copy }];
  });
  copies.sort((a, b) => b.sequence - a.sequence);
  return copies[0] ?? { record: EMPTY_RECORD, sequence: 0, copy: 1 };
}

/** One copy. Throws where the record is too long, which its bounds exclude. */
export function encodeCopy(record: UpdateRecord, sequence: number): Uint8Array {
  const text = encodeUtf8(JSON.stringify({ format: '1.0', ...record }));
  if (text.length > COPY_BYTES - HEADER_BYTES) throw new RangeError('the update record does not fit');
  const bytes = new Uint8Array(HEADER_BYTES + text.length);
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC, 0);
  view.setUint32(8, sequence, true);
  view.setUint32(12, text.length, true);
  bytes.set(text, HEADER_BYTES);
  view.setUint32(16, checksum(bytes), true);
  return bytes;
}

function decodeCopy(bytes: Uint8Array): { record: UpdateRecord; sequence: number } | undefined {
  if (bytes.length < HEADER_BYTES || MAGIC.some((byte, index) => bytes[index] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [sequence, length] = [view.getUint32(8, true), view.getUint32(12, true)];
  if (length > bytes.length - HEADER_BYTES) return undefined;
  if (view.getUint32(16, true) !== checksum(bytes.subarray(0, HEADER_BYTES + length))) return undefined;
  const record = parseRecord(decodeUtf8(bytes.subarray(HEADER_BYTES, HEADER_BYTES + length)));
  return record === undefined ? undefined : { record, sequence };
}

function checksum(copy: Uint8Array): number {
  const covered = new Uint8Array(8 + copy.length - HEADER_BYTES);
  covered.set(copy.subarray(8, 16), 0);
  covered.set(copy.subarray(HEADER_BYTES), 8);
  return crc32(covered);
}
