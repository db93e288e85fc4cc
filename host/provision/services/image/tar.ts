/**
 * Members of a tar archive that lies in a file (POSIX ustar and pax, GNU long names), one after another: headers are read, contents are left
 * where they are. The archive's bytes were checked against a digest before, so header checksums are not looked at.
 */
import { SlipwayError } from '../../../../spec/error.ts';
import type { System } from '../../../../system/system.ts';

export interface TarMember {
  /** As written. */
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Of a link. */
  readonly target: string;
  /** Where its contents stand in the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A file, or a part of one. */
export interface FileRange {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

const BLOCK = 512;
/** Headers are read ahead: most files of an image are small, so the next header is often here already. */
const WINDOW = 16_384;
/** No honest name, nor list of attributes, is longer. */
const MAX_EXTENSION_BYTES = 1024 * 1024;

const TYPES: Readonly<Record<string, TarMember['type']>> = {
  '0': 'file',
  '\0': 'file',
  '7': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '5': 'directory',
};

/** Throws `oci.hostile-layer` for what no archive of an image holds; `oci.invalid` where the file is no tar. */
export function* tarMembers(system: System, fd: number, range: FileRange): Generator<TarMember> {
  const end = range.offset + range.sizeBytes;
  let window = new Uint8Array(0);
  let windowAt = 0;
  const readAt = (at: number, count: number): Uint8Array => {
    if (at < windowAt || at + count > windowAt + window.length) {
      const bytes = system.readAt(fd, at, Math.max(count, WINDOW));
      if (bytes === 'failed' || bytes.length < count || at + count > end)
        throw invalid(range.path, 'it ends early');
      window = new Uint8Array(bytes);
      windowAt = at;
    }
    return window.subarray(at - windowAt, at - windowAt + count);
  };

  let extended: Record<string, string> = {};
  for (let at = range.offset; at + BLOCK <= end;) {
    const header = readAt(at, BLOCK);
    // Two empty blocks end it; one is enough to see that.
    if (header[0] === 0 && header[148] === 0) return;
    const flag = String.fromCharCode(header[156] ?? 0);
    const written = number(header, 124, 12, range.path);
    const offset = at + BLOCK;
    if (flag === 'x' || flag === 'L' || flag === 'K') {
      if (written > MAX_EXTENSION_BYTES) throw invalid(range.path, 'a name in it is longer than 1 MiB');
      const bytes = readAt(offset, written);
      if (flag === 'x') extended = { ...extended, ...paxRecords(system, bytes, range.path) };
      else
        extended = {
          ...extended,
          [flag === 'L' ? 'path' : 'linkpath']: text(system, bytes, 0, bytes.length),
        };
      at = offset + blocks(written);
      continue;
    }
    if (flag === 'g') {
      at = offset + blocks(written);
      continue;
    }
    const size = extended['size'] === undefined ? written : decimal(extended['size'], range.path);
    const prefix = isUstar(header) ? text(system, header, 345, 155) : '';
    const short = text(system, header, 0, 100);
    const name = extended['path'] ?? (prefix === '' ? short : `${prefix}/${short}`);
    if (Object.keys(extended).some((key) => key.startsWith('GNU.sparse.')))
      throw hostile(name, 'it is a sparse file');
    const type = TYPES[flag] ?? 'other';
    const sizeBytes = type === 'file' ? size : 0;
    // Links and directories have no contents, whatever size they claim (POSIX pax, header block).
    const isOldDirectory = flag !== '7' && type === 'file' && name.endsWith('/');
    yield {
      name,
      type: isOldDirectory ? 'directory' : type,
      mode: number(header, 100, 8, range.path) & 0o7777,
      uid:
        extended['uid'] === undefined
          ? number(header, 108, 8, range.path)
          : decimal(extended['uid'], range.path),
      gid:
        extended['gid'] === undefined
          ? number(header, 116, 8, range.path)
          : decimal(extended['gid'], range.path),
      target: extended['linkpath'] ?? text(system, header, 157, 100),
      offset,
      sizeBytes,
    };
    if (offset + sizeBytes > end) throw invalid(range.path, 'it ends early');
    extended = {};
    at = offset + blocks(sizeBytes);
  }
}

export function hostile(name: string, why: string): SlipwayError {
  return new SlipwayError('oci.hostile-layer', `image layer: ${JSON.stringify(name.slice(0, 200))}: ${why}`);
}

function invalid(path: string, why: string): SlipwayError {
  return new SlipwayError('oci.invalid', `${path} is no tar archive of an image: ${why}`);
}

function blocks(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function isUstar(header: Uint8Array): boolean {
  return header[257] === 0x75 && header[258] === 0x73 && header[262] === 0;
}

function text(system: System, bytes: Uint8Array, from: number, length: number): string {
  const field = bytes.subarray(from, from + length);
  const end = field.indexOf(0);
  return system.decode(end < 0 ? field : field.subarray(0, end));
}

/** Octal text, or GNU's base-256 for what is too large for that. */
function number(header: Uint8Array, from: number, length: number, path: string): number {
  const field = header.subarray(from, from + length);
  if (((field[0] ?? 0) & 0x80) !== 0) {
    let value = (field[0] ?? 0) & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
    if (!Number.isSafeInteger(value)) throw invalid(path, 'a number in it is too large');
    return value;
  }
  const digits = String.fromCharCode(...field).replace(/[\0 ]+/g, '');
  if (!/^[0-7]*$/.test(digits)) throw invalid(path, 'a number in it is none');
  return digits === '' ? 0 : parseInt(digits, 8);
}

function decimal(digits: string, path: string): number {
  const value = /^\d{1,16}$/.test(digits) ? Number(digits) : NaN;
  if (!Number.isSafeInteger(value)) throw invalid(path, 'a number in it is none');
  return value;
}

/** `<length> <key>=<value>\n`, the length in bytes. */
function paxRecords(system: System, bytes: Uint8Array, path: string): Record<string, string> {
  const records: Record<string, string> = {};
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const length =
      space < 0 ? NaN : Number(String.fromCharCode(...bytes.subarray(at, Math.min(space, at + 8))));
    const equals = bytes.indexOf(0x3d, space);
    if (
      !Number.isInteger(length) ||
      length < 5 ||
      at + length > bytes.length ||
      equals < 0 ||
      equals >= at + length
    )
      throw invalid(path, 'its extended headers are damaged');
    const key = system.decode(bytes.subarray(space + 1, equals));
    if (/^(path|linkpath|size|uid|gid|GNU\.sparse\..*)$/.test(key))
      records[key] = system.decode(bytes.subarray(equals + 1, at + length - 1));
    at += length;
  }
  return records;
}
