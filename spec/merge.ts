/**
 * The one rule by which a file is laid over another (extends, profiles): mappings merge key by key; lists append, where an entry with
 * the same name, path or target replaces the earlier one; anything else replaces. `!override` replaces a list or mapping whole,
 * `!reset` removes what was there (both as in the Compose Specification).
 */
import {
  listNode,
  mapNode,
  toPlain,
  type Located,
  type LocatedEntry,
  type LocatedList,
  type LocatedMap,
} from './located.ts';
import { own } from './own.ts';

/** How lists at a path merge: whole, or entry by entry under a key. `undefined` for an entry without a key, which is appended. */
export type ListRule = 'replace' | ((item: Located) => string | undefined);
/** By path, joined with dots; a list without a rule appends, leaving out what is there already. */
export type MergeRules = Readonly<Record<string, ListRule>>;

/** `overlay` over `base`. */
export function mergeNodes(
  base: Located,
  overlay: Located,
  rules: MergeRules,
  path: readonly string[] = [],
): Located {
  if (overlay.tag === 'override') return overlay;
  if (base.kind === 'map' && overlay.kind === 'map') return mergeMaps(base, overlay, rules, path);
  const rule = own(rules, path.join('.'));
  if (base.kind === 'list' && overlay.kind === 'list' && rule !== 'replace')
    return mergeLists(base, overlay, rule);
  return overlay;
}

function mergeMaps(
  base: LocatedMap,
  overlay: LocatedMap,
  rules: MergeRules,
  path: readonly string[],
): Located {
  const entries = new Map<string, LocatedEntry>(base.entries);
  for (const [key, entry] of overlay.entries) {
    const earlier = entries.get(key);
    if (entry.value.tag === 'reset') entries.delete(key);
    else if (earlier === undefined) entries.set(key, entry);
    else entries.set(key, { ...entry, value: mergeNodes(earlier.value, entry.value, rules, [...path, key]) });
  }
  return mapNode(overlay.at, entries);
}

function mergeLists(
  base: LocatedList,
  overlay: LocatedList,
  rule: Exclude<ListRule, 'replace'> | undefined,
): Located {
  const keyOf = rule ?? ((item: Located) => JSON.stringify(toPlain(item)));
  const items = [...base.items];
  const indexes = new Map(base.items.map((item, index) => [keyOf(item), index]));
  for (const item of overlay.items) {
    const key = keyOf(item);
    const index = key === undefined ? undefined : indexes.get(key);
    if (index === undefined) items.push(item);
    else items[index] = item;
  }
  return listNode(overlay.at, items);
}

/** Entries that are a text, or a mapping with the text under `field`. */
export function byField(field: string): (item: Located) => string | undefined {
  return (item) => {
    const value = item.kind === 'map' ? item.entries.get(field)?.value : item;
    return value?.kind === 'scalar' ? value.text : undefined;
  };
}

/** Volumes, devices: by where they are seen. */
export function byTarget(item: Located): string | undefined {
  if (item.kind === 'map') return byField('target')(item);
  if (item.kind !== 'scalar') return undefined;
  const [source, target] = item.text.split(':');
  return target ?? source;
}

/** Files: by path; whole folders (`path: /`) are laid over each other file by file, later. */
function byFilePath(item: Located): string | undefined {
  const path = byField('path')(item);
  return path === '/' ? undefined : path;
}

export const SERVICE_RULES: MergeRules = {
  command: 'replace',
  entrypoint: 'replace',
  'healthcheck.test': 'replace',
  volumes: byTarget,
  tmpfs: byTarget,
  devices: byTarget,
  'x-slipway.packages': byField('name'),
  'x-slipway.files': byFilePath,
  'x-slipway.state': byField('path'),
};

export const IMAGE_RULES: MergeRules = {
  'host.packages': byField('name'),
  'host.files': byFilePath,
  users: byField('name'),
};
