/**
 * How several `#cloud-config` documents become one. There is one rule, whatever `merge_how`, `merge_type` and MIME headers ask for:
 *
 * 1. Documents are laid over each other in order: those of the platform (vendor-data) first, then those of user-data as they stand in it.
 * 2. Mappings are merged key by key.
 * 3. Lists are appended: what a later document adds comes after what an earlier one has.
 * 4. In lists of things that have a name, the same name is the same thing. Two `users` of one `name` are merged by 2. Of two `write_files` with
 *    one `path` (unless the later says `append: true`), and of two `mounts` with one mount point, the later takes the earlier's place.
 * 5. Anything else: the later value takes the place of the earlier one. Where the two are of different kinds (a list and a mapping), this is
 *    told as a warning.
 *
 * cloud-init's own default replaces whole top-level keys, its documentation says that lists are appended, and what a document asks for is
 * in fact applied to another one (canonical/cloud-init#5112, #4022, #2611): nothing there to be compatible with.
 */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import {
  faultAt,
  listNode,
  mapNode,
  type Located,
  type LocatedEntry,
  type LocatedList,
  type LocatedMap,
} from '../../../spec/located.ts';

/** By top-level key: what tells one thing of a list from another; `undefined` for one that has no name. */
const NAMES: Readonly<Record<string, (item: Located) => string | undefined>> = {
  users: (item) => (item.kind === 'map' ? textOf(item, 'name') : scalarOf(item)),
  write_files: (item) =>
    item.kind === 'map' && !/^(true|yes|on)$/i.test(textOf(item, 'append') ?? '')
      ? textOf(item, 'path')
      : undefined,
  mounts: (item) => {
    const [device, point] = item.kind === 'list' ? item.items : [];
    const target = scalarOf(point);
    return target === 'none' ? `none ${scalarOf(device) ?? ''}` : target;
  },
};

/** `overlay` over `base`; both are whole documents. */
export function mergeDocuments(base: LocatedMap, overlay: LocatedMap, diagnostics: Diagnostic[]): LocatedMap {
  return mergeMaps(base, overlay, diagnostics, []);
}

function merge(
  base: Located,
  overlay: LocatedEntry,
  diagnostics: Diagnostic[],
  path: readonly string[],
): Located {
  const { value } = overlay;
  if (base.kind === 'map' && value.kind === 'map') return mergeMaps(base, value, diagnostics, path);
  if (base.kind === 'list' && value.kind === 'list') return mergeLists(base, value, diagnostics, path);
  if (base.kind !== value.kind && !isNothing(base) && !isNothing(value)) {
    const where = `in ${base.at.source.display}:${base.at.line}`;
    const message = `this takes the place of the ${KINDS[base.kind]} ${where}: it is a ${KINDS[value.kind]}, so they cannot be merged`;
    diagnostics.push(
      faultAt(overlay.keyAt, 'document.merge', message, 'write both in the same form', 'warning'),
    );
  }
  return value;
}

const KINDS = { scalar: 'single value', list: 'list', map: 'mapping' } as const;

function mergeMaps(
  base: LocatedMap,
  overlay: LocatedMap,
  diagnostics: Diagnostic[],
  path: readonly string[],
): LocatedMap {
  const entries = new Map<string, LocatedEntry>(base.entries);
  for (const [key, entry] of overlay.entries) {
    const earlier = entries.get(key);
    const value =
      earlier === undefined ? entry.value : merge(earlier.value, entry, diagnostics, [...path, key]);
    entries.set(key, { ...entry, value });
  }
  return mapNode(overlay.at, entries);
}

function mergeLists(
  base: LocatedList,
  overlay: LocatedList,
  diagnostics: Diagnostic[],
  path: readonly string[],
): LocatedList {
  const nameOf = path.length === 1 ? NAMES[path[0] ?? ''] : undefined;
  const items = [...base.items];
  if (nameOf === undefined) return listNode(overlay.at, [...items, ...overlay.items]);
  const indexes = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const name = nameOf(item);
    if (name !== undefined) indexes.set(name, index);
  }
  for (const item of overlay.items) {
    const name = nameOf(item);
    const index = name === undefined ? undefined : indexes.get(name);
    const earlier = index === undefined ? undefined : items[index];
    if (index === undefined || earlier === undefined) items.push(item);
    else if (path[0] === 'users' && earlier.kind === 'map' && item.kind === 'map')
      items[index] = mergeMaps(earlier, item, diagnostics, [...path, name ?? '']);
    else if (path[0] !== 'users' || item.kind === 'map') items[index] = item;
    // A bare name adds nothing to a user that is there.
  }
  return listNode(overlay.at, items);
}

function textOf(item: LocatedMap, name: string): string | undefined {
  return scalarOf(item.entries.get(name)?.value);
}

function scalarOf(item: Located | undefined): string | undefined {
  return item?.kind === 'scalar' && item.value !== null ? item.text : undefined;
}

function isNothing(node: Located): boolean {
  return node.kind === 'scalar' && node.value === null;
}
