/** Layers one over the other, as a container would see them (image-spec layer.md): additions, replacements, whiteouts. */
import { posix } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { TreeEntry } from '../tree/entry.ts';
import type { LayerContent, LayerEntry } from './layer.ts';

interface Node {
  /** Without one: a directory that only appears as a parent. */
  entry?: LayerEntry;
  dataPath: string;
  readonly children: Map<string, Node>;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const MAX_LINKS = 40;

/** Sorted by path, parents first. Hard links become files with the same contents: the builder stores equal files once anyway. */
export function flattenLayers(layers: readonly LayerContent[], component: string): readonly TreeEntry[] {
  const root: Node = { dataPath: '', children: new Map() };
  for (const { entries, dataPath } of layers) {
    // Whiteouts hide what lower layers hold, wherever in this layer they stand.
    for (const entry of entries) applyWhiteout(root, entry);
    for (const entry of entries) addEntry(root, entry, dataPath);
  }
  return [...treeEntries(root, '/', component)];
}

function applyWhiteout(root: Node, { path }: LayerEntry): void {
  const name = posix.basename(path);
  if (!name.startsWith(WHITEOUT)) return;
  const parent = findDirectory(root, posix.dirname(path));
  if (name === OPAQUE) parent?.children.clear();
  else if (!name.startsWith(`${WHITEOUT}${WHITEOUT}`)) parent?.children.delete(name.slice(WHITEOUT.length));
}

function addEntry(root: Node, entry: LayerEntry, dataPath: string): void {
  const name = posix.basename(entry.path);
  if (name.startsWith(WHITEOUT)) return;
  if (entry.path === '') {
    root.entry = { ...entry, type: 'directory' };
    return;
  }
  const parent = findDirectory(root, posix.dirname(entry.path), 'create');
  if (parent === undefined) throw hostile(entry, 'its parent is no directory');
  const before = parent.children.get(name);
  if (entry.type === 'directory') {
    // Over a directory: its owner and mode change, what is in it stays.
    const kept =
      before?.entry === undefined || before.entry.type === 'directory' ? before?.children : undefined;
    parent.children.set(name, { entry, dataPath, children: kept ?? new Map<string, Node>() });
  } else if (entry.type === 'hardlink') {
    const target = entry.target ?? '';
    const linked = findDirectory(root, posix.dirname(target))?.children.get(posix.basename(target));
    const { type } = linked?.entry ?? { type: 'directory' };
    if (linked?.entry === undefined || type === 'directory')
      throw hostile(entry, `it links to ${target}, which is no file`);
    parent.children.set(name, { ...linked, entry: { ...linked.entry, path: entry.path } });
  } else {
    parent.children.set(name, { entry, dataPath, children: new Map() });
  }
}

/**
 * The directory at a path, links on the way followed within the image, as a runtime does that unpacks one layer upon the other: a layer
 * may name /bin/x where a lower one made /bin a link.
 */
function findDirectory(root: Node, path: string, missing: 'create' | 'absent' = 'absent'): Node | undefined {
  let left = path.split('/').filter((part) => part !== '' && part !== '.');
  let trail: Node[] = [root];
  for (let links = 0; left.length > 0;) {
    const [part = '', ...rest] = left;
    left = rest;
    const at = trail[trail.length - 1];
    if (at === undefined) return undefined;
    if (part === '..') {
      if (trail.length > 1) trail = trail.slice(0, -1);
      continue;
    }
    let next = at.children.get(part);
    if (next === undefined && missing === 'create') {
      next = { dataPath: '', children: new Map() };
      at.children.set(part, next);
    }
    if (next === undefined) return undefined;
    if (next.entry?.type === 'symlink') {
      if (++links > MAX_LINKS) return undefined;
      const target = next.entry.target ?? '';
      if (target.startsWith('/')) trail = [root];
      left = [...target.split('/').filter((word) => word !== '' && word !== '.'), ...left];
      continue;
    }
    if (next.entry !== undefined && next.entry.type !== 'directory') return undefined;
    trail.push(next);
  }
  return trail[trail.length - 1];
}

function* treeEntries(node: Node, path: string, component: string): Generator<TreeEntry> {
  if (path !== '/') yield treeEntry(node, path, component);
  const names = [...node.children.keys()].sort();
  for (const name of names) {
    const child = node.children.get(name);
    if (child !== undefined) yield* treeEntries(child, posix.join(path, name), component);
  }
}

function treeEntry({ entry, dataPath }: Node, path: string, component: string): TreeEntry {
  const { mode, uid, gid } = entry ?? { mode: 0o755, uid: 0, gid: 0 };
  const common = { path, mode, uid, gid, component };
  switch (entry?.type) {
    case 'file':
      return {
        ...common,
        type: 'file',
        source: {
          kind: 'path',
          path: dataPath,
          offset: entry.offset ?? 0,
          sizeBytes: entry.sizeBytes ?? 0,
          sha256: entry.sha256 ?? '',
        },
      };
    case 'symlink':
      return { ...common, type: 'symlink', target: entry.target ?? '' };
    case 'directory':
    case 'hardlink':
    case undefined:
      return { ...common, type: 'directory' };
  }
}

function hostile({ path }: LayerEntry, why: string): SlipwayError {
  return new SlipwayError('oci.hostile-layer', `image layer: ${JSON.stringify(path.slice(0, 200))}: ${why}`);
}
