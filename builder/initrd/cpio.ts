/** Writes a "newc" cpio archive, the format in which the kernel takes an initramfs (Documentation/driver-api/early-userspace/buffer-format.rst). */
import { closeSync, openSync, readSync } from 'node:fs';
import { SlipwayError } from '../../spec/error.ts';
import type { FileSource, TreeEntry } from '../tree/entry.ts';

const TYPE_BITS = { file: 0o100000, hardlink: 0o100000, directory: 0o040000, symlink: 0o120000 } as const;

/**
 * The entries as one uncompressed archive. The same entries give the same bytes: numbers of inodes follow their order, times are 0.
 * Directories above an entry are added (root's, 0755) where the list lacks them. Throws `initrd.link` for a hard link to nothing.
 */
export function writeCpio(entries: readonly TreeEntry[]): Uint8Array {
  const complete = withParents(entries);
  const names = linkNames(complete);
  const left = new Map([...names].map(([path, count]) => [path, count]));
  const inodes = new Map<string, number>();
  const parts: Uint8Array[] = [];
  for (const entry of complete) {
    const identity = entry.type === 'hardlink' ? entry.target : entry.path;
    const inode = inodes.get(identity) ?? inodes.size + 1;
    inodes.set(identity, inode);
    const remaining = (left.get(identity) ?? 1) - 1;
    left.set(identity, remaining);
    // The bytes of a file with several names stand with the last of them: what GNU cpio writes, and what every reader takes.
    const data = remaining === 0 ? content(complete, entry, identity) : new Uint8Array();
    parts.push(
      header(entry, inode, entry.type === 'directory' ? 2 : (names.get(identity) ?? 1), data.length),
    );
    parts.push(data, padding(data.length, 4));
  }
  parts.push(trailer());
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([...parts, padding(length, 512)]);
}

/** The bytes of a file entry's source. */
export function readSource(source: FileSource): Uint8Array {
  if (source.kind === 'bytes') return source.bytes;
  const bytes = Buffer.alloc(source.sizeBytes);
  const descriptor = openSync(source.path, 'r');
  try {
    let done = 0;
    while (done < bytes.length) {
      const count = readSync(descriptor, bytes, done, bytes.length - done, source.offset + done);
      if (count === 0) throw new SlipwayError('initrd.short', `${source.path} ends before its content does`);
      done += count;
    }
  } finally {
    closeSync(descriptor);
  }
  return bytes;
}

function withParents(entries: readonly TreeEntry[]): TreeEntry[] {
  const known = new Set<string>();
  const complete: TreeEntry[] = [];
  const add = (entry: TreeEntry): void => {
    if (known.has(entry.path)) {
      throw new SlipwayError('initrd.duplicate', `${entry.path} is in the initrd twice`);
    }
    known.add(entry.path);
    complete.push(entry);
  };
  const explicit = new Map(entries.map((entry) => [entry.path, entry]));
  for (const entry of entries) {
    if (known.has(entry.path) && entry.type === 'directory') continue;
    for (const parent of parents(entry.path)) {
      if (known.has(parent)) continue;
      add(
        explicit.get(parent) ?? {
          type: 'directory',
          path: parent,
          mode: 0o755,
          uid: 0,
          gid: 0,
          component: entry.component,
        },
      );
    }
    add(entry);
  }
  return complete;
}

function parents(path: string): string[] {
  const names = path.split('/').slice(1, -1);
  return names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
}

/** For each file that hard links name: how many names it has. */
function linkNames(entries: readonly TreeEntry[]): Map<string, number> {
  const files = new Set(entries.filter((entry) => entry.type === 'file').map((entry) => entry.path));
  const names = new Map<string, number>();
  for (const entry of entries) {
    if (entry.type !== 'hardlink') continue;
    if (!files.has(entry.target)) {
      throw new SlipwayError(
        'initrd.link',
        `${entry.path} is a hard link to ${entry.target}, which is not there`,
      );
    }
    names.set(entry.target, (names.get(entry.target) ?? 1) + 1);
  }
  return names;
}

function content(entries: readonly TreeEntry[], entry: TreeEntry, identity: string): Uint8Array {
  if (entry.type === 'symlink') return Buffer.from(entry.target);
  if (entry.type === 'directory') return new Uint8Array();
  const file = entries.find((other) => other.path === identity);
  return file?.type === 'file' ? readSource(file.source) : new Uint8Array();
}

function header(
  entry: Pick<TreeEntry, 'path' | 'mode' | 'uid' | 'gid'> & { type?: TreeEntry['type'] },
  inode: number,
  links: number,
  sizeBytes: number,
): Uint8Array {
  const name = Buffer.from(`${entry.path.replace(/^\//, '')}\0`);
  const mode = (entry.type === undefined ? 0 : TYPE_BITS[entry.type]) | entry.mode;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, entry.uid, entry.gid, links, 0, sizeBytes, 0, 0, 0, 0, name.length, 0];
  const text = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([Buffer.from(text), name, padding(text.length + name.length, 4)]);
}

function trailer(): Uint8Array {
  return header({ path: 'TRAILER!!!', mode: 0, uid: 0, gid: 0 }, 0, 1, 0);
}

function padding(length: number, unit: number): Uint8Array {
  return new Uint8Array((unit - (length % unit)) % unit);
}
