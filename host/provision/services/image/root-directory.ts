/** A container's root file system that lies in a directory: paths are looked up within it, wherever its links lead. */
import type { RootPlace, RootView } from '../../../../oci/root-view.ts';
import { join } from '../../../../spec/posix-path.ts';
import type { System } from '../../../../system/system.ts';

/** The kernel's own limit (path_resolution(7)). */
const MAX_LINKS = 40;
const MAX_TEXT_BYTES = 1024 * 1024;

export interface Place {
  /** Within the root: `/usr/bin`, `/`. No component of it is a link, the last one aside when it was not followed. */
  readonly path: string;
  readonly kind: 'file' | 'directory' | 'symlink' | 'other' | 'missing';
}

/**
 * Where a path leads. A missing last component is told as such; `undefined`: something before it is missing or no directory, or links go round in
 * circles. `make`: called for each missing component before the last, to make a directory of it.
 */
export function placeIn(
  system: System,
  root: string,
  path: string,
  options: { readonly last: 'follow' | 'keep'; readonly make?: (path: string) => void },
): Place | undefined {
  let left = path.split('/').filter((part) => part !== '' && part !== '.');
  let at: string[] = [];
  for (let links = 0; left.length > 0;) {
    const [part = '', ...rest] = left;
    left = rest;
    if (part === '..') {
      at = at.slice(0, -1);
      continue;
    }
    const here = `/${[...at, part].join('/')}`;
    const found = system.linkStatus(root + here);
    if (found === undefined) {
      if (left.length === 0) return { path: here, kind: 'missing' };
      if (options.make === undefined) return undefined;
      options.make(here);
    } else if (found.kind === 'symlink') {
      if (left.length === 0 && options.last === 'keep') return { path: here, kind: 'symlink' };
      if (++links > MAX_LINKS) return undefined;
      const target = system.readLink(root + here) ?? '';
      if (target.startsWith('/')) at = [];
      left = [...target.split('/').filter((word) => word !== '' && word !== '.'), ...left];
      continue;
    } else if (found.kind !== 'directory') {
      return left.length > 0 ? undefined : { path: here, kind: found.kind === 'file' ? 'file' : 'other' };
    }
    at = [...at, part];
  }
  return { path: `/${at.join('/')}`, kind: 'directory' };
}

/** What makeBundle asks of a root. `own`: files that lie over it. */
export function rootDirectory(system: System, root: string, own: readonly RootPlace[] = []): RootView {
  const over = new Map(own.map((place) => [place.path, place]));
  const resolve = (path: string): RootPlace | undefined => {
    const place = placeIn(system, root, path, { last: 'follow' });
    const mine = over.get(place?.path ?? join('/', path));
    if (mine !== undefined) return mine;
    if (place?.kind !== 'file' && place?.kind !== 'directory') return undefined;
    const { mode, uid, gid } = system.linkStatus(root + place.path) ?? { mode: 0o755, uid: 0, gid: 0 };
    return { type: place.kind, path: place.path, mode, uid, gid };
  };
  return {
    resolve,
    text: (path) => {
      const place = placeIn(system, root, path, { last: 'follow' });
      if (place?.kind !== 'file') return '';
      const size = system.linkStatus(root + place.path)?.sizeBytes ?? 0;
      return size > MAX_TEXT_BYTES ? '' : (system.readText(root + place.path) ?? '');
    },
  };
}
