/**
 * Where each entry of an uncompressed tar file lies. (tar-stream does not tell offsets, and the composer copies file contents straight
 * out of the tar.) Formats: ustar, GNU long names, pax `path`, `linkpath`, `size`. https://www.gnu.org/software/tar/manual/html_node/Standard.html
 */
import { SlipwayError } from '../../spec/error.ts';

export interface TarEntry {
  /** As in the archive. */
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly target?: string;
  /** Of the contents. */
  readonly offset: number;
}

/** Reads `length` bytes at `offset`; fewer at the end. */
export type ReadAt = (offset: number, length: number) => Buffer;

export function* readTar(readAt: ReadAt, file: string): Generator<TarEntry> {
  let position = 0;
  let extended: { path?: string; linkpath?: string; size?: number } = {};
  for (;;) {
    const header = readAt(position, BLOCK);
    if (header.length < BLOCK || header.every((byte) => byte === 0)) return;
    checkHeader(header, file);
    const offset = position + BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    const sizeBytes = extended.size ?? number(header, 124, 12);
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw damaged(file);
    if (/[LKx]/.test(type) && sizeBytes > MAX_NAME_BYTES) throw damaged(file);
    position = offset + Math.ceil(sizeBytes / BLOCK) * BLOCK;

    if (type === 'L') extended = { ...extended, path: cString(readAt(offset, sizeBytes)) };
    else if (type === 'K') extended = { ...extended, linkpath: cString(readAt(offset, sizeBytes)) };
    else if (type === 'x') extended = { ...extended, ...paxRecords(readAt(offset, sizeBytes)) };
    else if (type !== 'g') {
      yield entry(header, type, offset, sizeBytes, extended, file);
      extended = {};
    }
  }
}

const BLOCK = 512;
/** Of a long name or a pax header; PATH_MAX is 4096. */
const MAX_NAME_BYTES = 64 * 1024;

const TYPES: Record<string, TarEntry['type']> = {
  '\0': 'file',
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
  '7': 'file',
};

function entry(
  header: Buffer,
  flag: string,
  offset: number,
  sizeBytes: number,
  extended: { path?: string; linkpath?: string },
  file: string,
): TarEntry {
  const magic = header.toString('latin1', 257, 263);
  const prefix = magic === 'ustar\0' ? field(header, 345, 155) : '';
  const name = extended.path ?? (prefix === '' ? '' : `${prefix}/`) + field(header, 0, 100);
  const type = TYPES[flag];
  if (type === undefined) {
    throw new SlipwayError(
      'debian.bad-package',
      `${file}: ${name} is of tar type '${flag}', which no image can hold`,
    );
  }
  const target = extended.linkpath ?? field(header, 157, 100);
  return {
    name,
    type,
    mode: number(header, 100, 8) & 0o7777,
    uid: number(header, 108, 8),
    gid: number(header, 116, 8),
    sizeBytes: type === 'file' ? sizeBytes : 0,
    offset,
    ...(type === 'symlink' || type === 'hardlink' ? { target } : {}),
  };
}

function checkHeader(header: Buffer, file: string): void {
  let sum = 8 * 32;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i] ?? 0;
  if (sum !== number(header, 148, 8)) throw damaged(file);
}

function damaged(file: string): SlipwayError {
  return new SlipwayError('debian.bad-package', `${file}: a tar header is damaged`);
}

/** Octal text, or big-endian binary where the first bit is set. */
function number(header: Buffer, start: number, length: number): number {
  if (((header[start] ?? 0) & 0x80) !== 0) return Number(header.readBigUInt64BE(start + length - 8));
  return Number.parseInt(field(header, start, length).trim() || '0', 8);
}

function field(header: Buffer, start: number, length: number): string {
  return cString(header.subarray(start, start + length));
}

function cString(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

function paxRecords(bytes: Buffer): { path?: string; linkpath?: string; size?: number } {
  const records: { path?: string; linkpath?: string; size?: number } = {};
  for (let start = 0; start < bytes.length;) {
    const length = Number.parseInt(bytes.toString('latin1', start, start + 20), 10);
    if (!(length > 0)) break;
    const record = bytes.toString('utf8', start, start + length - 1);
    const [, key, value = ''] = /^\d+ ([^=]+)=([^]*)$/.exec(record) ?? [];
    if (key === 'path') records.path = value;
    if (key === 'linkpath') records.linkpath = value;
    if (key === 'size') records.size = Number(value);
    start += length;
  }
  return records;
}
