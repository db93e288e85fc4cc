/** Layers of entries to one tree: later layers win, parents exist, order is fixed. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { FileEntry } from '../../spec/image.ts';
import { sourceDigest } from './deduplicate.ts';
import type { TreeEntry } from './entry.ts';
import { mergedUsr } from './package-index.ts';

/** Where two layers hold the same path, the later one's entry stands. Throws `tree.not-a-directory`. */
export function mergeLayers(...layers: readonly (readonly TreeEntry[])[]): TreeEntry[] {
  const tree = new Map<string, TreeEntry>();
  for (const layer of layers) for (const entry of layer) tree.set(entry.path, entry);
  for (const entry of [...tree.values()]) addParents(tree, entry);
  return [...tree.values()].sort(byPath);
}

/** The same tree below a directory. Hard links keep naming the file that they mean. */
export function placeUnder(prefix: string, entries: readonly TreeEntry[]): TreeEntry[] {
  return entries.map((entry) => ({
    ...entry,
    path: prefix + entry.path,
    ...(entry.type === 'hardlink' ? { target: prefix + entry.target } : {}),
  }));
}

/** An image's or a service's own files. Throws `tree.file-unreadable`. */
export async function ownFiles(files: readonly FileEntry[], component: string): Promise<TreeEntry[]> {
  return Promise.all(
    files.map(async ({ path, mode, uid, gid, content, source }) => ({
      path: mergedUsr(posix.normalize(path)),
      mode,
      uid,
      gid,
      component,
      type: 'file' as const,
      source: {
        kind: 'bytes' as const,
        bytes: source === undefined ? Buffer.from(content ?? '') : await readOwnFile(source, path),
      },
    })),
  );
}

/** SHA-256 over everything that a tree says: equal trees have equal digests. */
export function treeDigest(entries: readonly TreeEntry[]): string {
  const hash = createHash('sha256');
  for (const entry of entries) {
    const { path, mode, uid, gid, type } = entry;
    const content =
      entry.type === 'file' ? sourceDigest(entry.source) : entry.type === 'directory' ? '' : entry.target;
    hash.update(`${type}\0${path}\0${mode}\0${uid}\0${gid}\0${content}\n`);
  }
  return hash.digest('hex');
}

function addParents(tree: Map<string, TreeEntry>, entry: TreeEntry): void {
  const parent = posix.dirname(entry.path);
  if (parent === '/') return;
  const found = tree.get(parent);
  if (found === undefined) {
    const directory: TreeEntry = {
      path: parent,
      mode: 0o755,
      uid: 0,
      gid: 0,
      component: entry.component,
      type: 'directory',
    };
    tree.set(parent, directory);
    addParents(tree, directory);
  } else if (found.type !== 'directory') {
    throw new SlipwayError(
      'tree.not-a-directory',
      `${entry.path} (${entry.component}) lies under ${parent}, which is a ${found.type} (${found.component})`,
      { hint: 'write the path as it is on the machine: /usr/bin/x for /bin/x' },
    );
  }
}

function byPath(a: TreeEntry, b: TreeEntry): number {
  // '/' sorts before every other character, so that a directory is followed by what it holds.
  const left = a.path.replaceAll('/', '\0');
  const right = b.path.replaceAll('/', '\0');
  return left < right ? -1 : left > right ? 1 : 0;
}

async function readOwnFile(source: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(source);
  } catch (cause) {
    throw new SlipwayError('tree.file-unreadable', `cannot read ${source}, which is to become ${path}`, {
      cause,
    });
  }
}
