/** Compose lets some keys be written as a list or as a mapping. Before files are merged, each gets its one form. */
import type { Diagnostic } from './diagnostic.ts';
import {
  faultAt,
  listNode,
  mapNode,
  textNode,
  type Located,
  type LocatedEntry,
  type LocatedMap,
} from './located.ts';

/** A service with `environment`, `labels`, `sysctls` and `depends_on` as mappings, `tmpfs` and `env_file` as lists. */
export function normaliseService(service: Located, diagnostics: Diagnostic[]): Located {
  if (service.kind !== 'map') return service;
  const entries = new Map<string, LocatedEntry>();
  for (const [key, entry] of service.entries) {
    entries.set(key, { ...entry, value: normaliseKey(key, entry.value, diagnostics) });
  }
  return mapNode(service.at, entries, service.tag);
}

function normaliseKey(key: string, value: Located, diagnostics: Diagnostic[]): Located {
  switch (key) {
    case 'environment':
    case 'labels':
    case 'sysctls':
      return asTextMap(key, value, diagnostics);
    case 'depends_on':
      return value.kind === 'list' ? dependencyMap(value, diagnostics) : value;
    case 'tmpfs':
    case 'env_file':
      return value.kind === 'scalar' && typeof value.value === 'string'
        ? listNode(value.at, [value], value.tag)
        : value;
    default:
      return value;
  }
}

function asTextMap(key: string, value: Located, diagnostics: Diagnostic[]): Located {
  const entries = new Map<string, LocatedEntry>();
  const needsValue = key !== 'labels';
  const add = (name: string, at: LocatedEntry['keyAt'], node: Located | undefined): void => {
    if (key === 'environment' && (name === '' || name.includes('='))) {
      diagnostics.push(faultAt(at, 'compose.variable-name', `'${name}' is no name of a variable`));
    }
    if (needsValue && (node === undefined || (node.kind === 'scalar' && node.value === null))) {
      const hint =
        key === 'environment'
          ? 'variables of the workstation are not taken over; for an empty one write ""'
          : undefined;
      diagnostics.push(faultAt(at, 'compose.no-value', `${name} has no value`, hint));
    }
    entries.set(name, { keyAt: at, value: node ?? textNode(at, '') });
  };
  if (value.kind === 'map') {
    // Numbers and booleans as written: 1.10 stays 1.10.
    for (const [name, { keyAt, value: node }] of value.entries) {
      const isText = node.kind === 'scalar' && node.value !== null;
      add(name, keyAt, isText ? textNode(node.at, node.text) : node);
    }
  } else if (
    value.kind === 'list' &&
    value.items.every((item) => item.kind === 'scalar' && typeof item.value === 'string')
  ) {
    for (const item of value.items) {
      const written = item.kind === 'scalar' ? item.text : '';
      const equals = written.indexOf('=');
      const name = equals < 0 ? written : written.slice(0, equals);
      if (entries.has(name))
        diagnostics.push(faultAt(item.at, 'compose.duplicate', `${name} stands here a second time`));
      add(name, item.at, equals < 0 ? undefined : textNode(item.at, written.slice(equals + 1)));
    }
  } else return value;
  return mapNode(value.at, entries, value.tag);
}

function dependencyMap(list: Located & { kind: 'list' }, diagnostics: Diagnostic[]): Located {
  if (!list.items.every((item) => item.kind === 'scalar' && typeof item.value === 'string')) return list;
  const entries = new Map<string, LocatedEntry>();
  for (const item of list.items) {
    const name = item.kind === 'scalar' ? item.text : '';
    if (entries.has(name))
      diagnostics.push(faultAt(item.at, 'compose.duplicate', `${name} stands here a second time`));
    entries.set(name, { keyAt: item.at, value: startedDependency(item) });
  }
  return mapNode(list.at, entries, list.tag);
}

function startedDependency(item: Located): LocatedMap {
  const condition = { keyAt: item.at, value: textNode(item.at, 'service_started') };
  return mapNode(item.at, new Map([['condition', condition]]));
}
