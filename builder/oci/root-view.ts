/** Read-only lookups in a container's root file system that exists only as a list of entries. */
import { readSync, openSync, closeSync } from 'node:fs';
import { posix } from 'node:path';
import type { RootView } from '../../oci/root-view.ts';
import type { TreeEntry } from '../tree/entry.ts';

export interface EntryView extends RootView {
  resolve(path: string): TreeEntry | undefined;
  /** The same, its last component not followed. */
  lookup(path: string): TreeEntry | undefined;
}

/** The kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40;

/** `entries`: absolute paths as the container sees them. A directory that only appears as a parent counts as one. */
export function rootView(entries: readonly TreeEntry[]): EntryView {
  const byPath = new Map<string, TreeEntry>();
  for (const entry of entries) byPath.set(entry.path, entry);
  for (const entry of entries) {
    for (let parent = posix.dirname(entry.path); parent !== '/'; parent = posix.dirname(parent)) {
      if (byPath.has(parent)) break;
      byPath.set(parent, impliedDirectory(parent, entry.component));
    }
  }
  if (!byPath.has('/')) byPath.set('/', impliedDirectory('/', ''));

  /** The real path of the parent, then the last component: `undefined` when a component is missing or links loop. */
  const walk = (path: string, followLast: boolean): TreeEntry | undefined => {
    let left = path.split('/').filter((part) => part !== '' && part !== '.');
    let at = '/';
    for (let links = 0; left.length > 0;) {
      const [part = '', ...rest] = left;
      left = rest;
      if (part === '..') {
        at = posix.dirname(at);
        continue;
      }
      const next = posix.join(at, part);
      const entry = byPath.get(next);
      if (entry === undefined) return undefined;
      if (entry.type === 'symlink' && (left.length > 0 || followLast)) {
        if (++links > MAX_LINKS) return undefined;
        left = [...entry.target.split('/').filter((word) => word !== '' && word !== '.'), ...left];
        if (entry.target.startsWith('/')) at = '/';
        continue;
      }
      if (left.length > 0 && entry.type !== 'directory') return undefined;
      at = next;
    }
    return byPath.get(at);
  };
  const file = (path: string): TreeEntry | undefined => {
    const entry = walk(path, true);
    return entry?.type === 'hardlink' ? byPath.get(entry.target) : entry;
  };
  return {
    resolve: file,
    lookup: (path) => walk(path, false),
    text: (path) => {
      const entry = file(path);
      return entry?.type === 'file' ? readText(entry) : '';
    },
  };
}

function impliedDirectory(path: string, component: string): TreeEntry {
  return { type: 'directory', path, mode: 0o755, uid: 0, gid: 0, component };
}

function readText(entry: TreeEntry & { type: 'file' }): string {
  const { source } = entry;
  if (source.kind === 'bytes') return Buffer.from(source.bytes).toString('utf8');
  const bytes = Buffer.alloc(source.sizeBytes);
  const descriptor = openSync(source.path, 'r');
  try {
    for (let done = 0; done < bytes.length;) {
      const read = readSync(descriptor, bytes, done, bytes.length - done, source.offset + done);
      if (read === 0) break;
      done += read;
    }
  } finally {
    closeSync(descriptor);
  }
  return bytes.toString('utf8');
}
