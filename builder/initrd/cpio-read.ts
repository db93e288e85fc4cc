/** Reads "newc" cpio archives as `writeCpio` writes them. */
import { SlipwayError } from '../../spec/error.ts';
import type { TreeEntry } from '../tree/entry.ts';

const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
const TYPE_MASK = 0o170000;
const TYPES: Readonly<Record<number, 'file' | 'directory' | 'symlink'>> = {
  0o100000: 'file',
  0o040000: 'directory',
  0o120000: 'symlink',
};

/** The entries in order; a file's bytes are parts of `archive`. Throws `initrd.invalid`, also for hard links, which no initrd of ours has. */
export function readCpio(archive: Uint8Array, component: string): TreeEntry[] {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  const entries: TreeEntry[] = [];
  for (let at = 0; ;) {
    if (bytes.toString('latin1', at, at + 6) !== '070701') throw invalid('an entry has no header');
    const field = (index: number): number => {
      const value = Number.parseInt(bytes.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
      if (Number.isNaN(value)) throw invalid('a header is damaged');
      return value;
    };
    const nameBytes = field(11);
    const name = bytes.toString('utf8', at + HEADER_BYTES, at + HEADER_BYTES + nameBytes - 1);
    const start = aligned(at + HEADER_BYTES + nameBytes);
    const end = start + field(6);
    if (end > bytes.length) throw invalid('it ends before its content does');
    if (name === TRAILER) return entries;
    const data = bytes.subarray(start, end);
    const mode = field(1);
    const base = { path: `/${name}`, mode: mode & 0o7777, uid: field(2), gid: field(3), component };
    const type = TYPES[mode & TYPE_MASK];
    if (type === undefined || (type === 'file' && field(4) > 1)) throw invalid(`${name} is of no known kind`);
    entries.push(
      type === 'file'
        ? { ...base, type, source: { kind: 'bytes', bytes: data } }
        : type === 'symlink'
          ? { ...base, type, target: data.toString('utf8') }
          : { ...base, type },
    );
    at = aligned(end);
  }
}

function aligned(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}

function invalid(what: string): SlipwayError {
  return new SlipwayError('initrd.invalid', `not a usable initrd: ${what}`);
}
