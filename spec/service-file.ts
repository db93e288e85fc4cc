/** Service files: reading one with what it includes and extends, up to merged trees. Nothing here knows the image. */
import {
  faultAt,
  mapNode,
  textNode,
  listNode,
  type Located,
  type LocatedEntry,
  type LocatedMap,
  type Position,
} from './located.ts';
import { UNSUPPORTED_FILE_KEYS, UNSUPPORTED_SERVICE_KEYS } from './compose-keys.ts';
import { normaliseService } from './compose-forms.ts';
import { resolveDollars } from './interpolate.ts';
import { mergeNodes, SERVICE_RULES } from './merge.ts';
import {
  MAX_EXTENDS,
  pathFrom,
  readYaml,
  type LocatedService,
  type LocatedServices,
  type ParsedFile,
  type Reading,
} from './reading.ts';
import { parseShape, type ShapeOptions } from './shape.ts';
import { serviceFileSchema } from './service-schema.ts';

/** Names the mappings of a service file in messages. */
export const SERVICE_FILE_WORDS: ShapeOptions = {
  unsupported: (path) =>
    path.length === 0 ? UNSUPPORTED_FILE_KEYS : isService(path) ? UNSUPPORTED_SERVICE_KEYS : undefined,
  noun: (path) => (path.length === 0 ? 'a service file' : isService(path) ? 'a service' : undefined),
};

/** All services of a file and of what it includes, each with what it extends. */
export async function loadServices(
  reading: Reading,
  path: string,
  display: string,
  wantedAt?: Position,
  chain: readonly string[] = [],
): Promise<LocatedServices> {
  const earlier = reading.services.get(path);
  if (earlier !== undefined) return earlier;
  const file = await readYaml(reading, path, display, wantedAt);
  const services =
    file?.root === undefined
      ? new Map<string, LocatedService>()
      : await servicesOf(reading, file, [...chain, path]);
  // Once for each file: files that include each other crosswise would otherwise be read 2^n times.
  reading.services.set(path, services);
  return services;
}

/** The services that one mapping holds (`services:` of a service file or an image), each with what it extends. */
export async function ownServices(
  reading: Reading,
  services: Located | undefined,
  volumes: ReadonlySet<string> | undefined,
): Promise<LocatedServices> {
  const own = new Map<string, LocatedService>();
  if (services?.kind !== 'map') return own;
  for (const [name, { keyAt, value }] of services.entries) {
    const node = await extended(reading, services, name, []);
    own.set(name, { name, keyAt, node: node ?? value, ...(volumes === undefined ? {} : { volumes }) });
  }
  return own;
}

/** Adds services of the same layer: a name that is there already is a fault. */
export function addServices(
  reading: Reading,
  into: Map<string, LocatedService>,
  from: LocatedServices,
): void {
  for (const service of from.values()) {
    const earlier = into.get(service.name);
    if (earlier !== undefined && earlier.keyAt !== service.keyAt) {
      const { source, line } = earlier.keyAt;
      reading.diagnostics.push(
        faultAt(
          service.keyAt,
          'service.duplicate',
          `there is a service '${service.name}' already`,
          `the first is in ${source.display}:${line}`,
        ),
      );
    } else into.set(service.name, service);
  }
}

async function servicesOf(
  reading: Reading,
  file: ParsedFile,
  chain: readonly string[],
): Promise<LocatedServices> {
  const prepared = prepare(reading, file);
  const services = new Map<string, LocatedService>();
  if (prepared === undefined) return services;
  const include = prepared.entries.get('include')?.value;
  for (const item of include?.kind === 'list' ? include.items : []) {
    addServices(reading, services, await included(reading, item, chain));
  }
  const volumes = prepared.entries.get('volumes')?.value;
  const declared = new Set(volumes?.kind === 'map' ? volumes.entries.keys() : []);
  const written = await withFilesFolder(reading, prepared.entries.get('services')?.value, file);
  addServices(reading, services, await ownServices(reading, written, declared));
  return services;
}

/** The tree of a file, checked against the schema, dollars resolved, keys in their one form. Done once for each file. */
function prepare(reading: Reading, file: ParsedFile): LocatedMap | undefined {
  const earlier = reading.prepared.get(file.source.path);
  if (earlier !== undefined) return earlier;
  const { root } = file;
  if (root === undefined) return undefined;
  const resolved = resolveDollars(root, reading.diagnostics);
  reading.diagnostics.push(
    ...parseShape(serviceFileSchema, withoutResets(resolved), SERVICE_FILE_WORDS).diagnostics,
  );
  if (resolved.kind !== 'map') return undefined;
  const prepared = normaliseServices(reading, resolved);
  reading.prepared.set(file.source.path, prepared);
  return prepared;
}

/** `services:` of a file or image with each service in its one form. */
export function normaliseServices(reading: Reading, root: LocatedMap): LocatedMap {
  const services = root.entries.get('services');
  if (services?.value.kind !== 'map') return root;
  const normal = new Map<string, LocatedEntry>();
  for (const [name, entry] of services.value.entries) {
    normal.set(name, { ...entry, value: normaliseService(entry.value, reading.diagnostics) });
  }
  const value = mapNode(services.value.at, normal, services.value.tag);
  return mapNode(root.at, new Map([...root.entries, ['services', { ...services, value }]]), root.tag);
}

/** A tree without what `!reset` marks: that part only says what to remove from another file. */
export function withoutResets(node: Located): Located {
  if (node.kind === 'list') return listNode(node.at, node.items.map(withoutResets));
  if (node.kind !== 'map') return node;
  const kept = [...node.entries].filter(([, { value }]) => value.tag !== 'reset');
  return mapNode(
    node.at,
    new Map(kept.map(([key, entry]) => [key, { ...entry, value: withoutResets(entry.value) }])),
  );
}

async function included(reading: Reading, item: Located, chain: readonly string[]): Promise<LocatedServices> {
  const paths = item.kind === 'map' ? item.entries.get('path')?.value : item;
  let merged: Map<string, LocatedService> | undefined;
  for (const node of paths?.kind === 'list' ? paths.items : [paths]) {
    if (node?.kind !== 'scalar' || typeof node.value !== 'string') continue;
    const { path, display } = pathFrom(node.at, node.value);
    if (chain.includes(path)) {
      reading.diagnostics.push(
        faultAt(node.at, 'include.cycle', `this file includes itself: ${[...chain, path].join(' -> ')}`),
      );
      continue;
    }
    const services = await loadServices(reading, path, display, node.at, chain);
    if (merged === undefined) merged = new Map(services);
    else {
      for (const service of services.values()) {
        const base = merged.get(service.name);
        const over = base === undefined ? service.node : mergeNodes(base.node, service.node, SERVICE_RULES);
        merged.set(service.name, { ...service, node: over });
      }
    }
  }
  return merged ?? new Map();
}

/** A folder `files/` beside a file with one service is part of that service. */
async function withFilesFolder(
  reading: Reading,
  services: Located | undefined,
  file: ParsedFile,
): Promise<Located | undefined> {
  if (services?.kind !== 'map' || services.entries.size !== 1) return services;
  const [[name, entry] = []] = services.entries;
  if (name === undefined || entry?.value.kind !== 'map') return services;
  const { path } = pathFrom({ ...entry.keyAt, source: file.source }, 'files');
  if ((await reading.files.kindOf(path)) !== 'folder') return services;
  const at = entry.keyAt;
  const put = (base: LocatedMap, key: string, value: Located): LocatedMap =>
    mapNode(
      base.at,
      new Map([...base.entries, [key, { keyAt: base.entries.get(key)?.keyAt ?? at, value }]]),
      base.tag,
    );
  const folder = put(
    put(mapNode(at, new Map()), 'path', textNode(at, '/')),
    'source',
    textNode(at, './files'),
  );
  const slipway = entry.value.entries.get('x-slipway')?.value ?? mapNode(at, new Map());
  if (slipway.kind !== 'map') return services;
  const files = slipway.entries.get('files')?.value ?? listNode(at, []);
  if (files.kind !== 'list') return services;
  // First, so that files written in the YAML win over those of the folder.
  const withFolder = put(slipway, 'files', listNode(files.at, [folder, ...files.items], files.tag));
  return mapNode(
    services.at,
    new Map([[name, { ...entry, value: put(entry.value, 'x-slipway', withFolder) }]]),
  );
}

/** Compose's `extends`: the other service, with this one laid over it. */
async function extended(
  reading: Reading,
  services: LocatedMap,
  name: string,
  chain: readonly string[],
): Promise<Located | undefined> {
  const node = services.entries.get(name)?.value;
  if (node?.kind !== 'map') return node;
  const extension = node.entries.get('extends')?.value;
  if (extension === undefined) return node;
  const own = mapNode(node.at, new Map([...node.entries].filter(([key]) => key !== 'extends')), node.tag);
  const target = extension.kind === 'map' ? extension.entries.get('service')?.value : extension;
  const file = extension.kind === 'map' ? extension.entries.get('file')?.value : undefined;
  if (target?.kind !== 'scalar' || typeof target.value !== 'string') return own;
  const here = `${node.at.source.path}#${name}`;
  if (chain.includes(here)) {
    reading.diagnostics.push(faultAt(target.at, 'extends.cycle', `the service '${name}' extends itself`));
    return own;
  }
  if (chain.length >= MAX_EXTENDS) {
    const message = `more than ${MAX_EXTENDS} services extend each other in a row`;
    reading.diagnostics.push(faultAt(target.at, 'extends.depth', message));
    return own;
  }
  const others = file === undefined ? services : await servicesOfFile(reading, file);
  if (others === undefined) return own;
  if (!others.entries.has(target.value)) {
    const names = [...others.entries.keys()].join(', ');
    reading.diagnostics.push(
      faultAt(
        target.at,
        'extends.unknown',
        `there is no service '${target.value}' to extend`,
        names === '' ? undefined : `that file has: ${names}`,
      ),
    );
    return own;
  }
  const base = await extended(reading, others, target.value, [...chain, here]);
  return base === undefined ? own : mergeNodes(base, own, SERVICE_RULES);
}

async function servicesOfFile(reading: Reading, file: Located): Promise<LocatedMap | undefined> {
  if (file.kind !== 'scalar' || typeof file.value !== 'string') return undefined;
  const { path, display } = pathFrom(file.at, file.value);
  const parsed = await readYaml(reading, path, display, file.at);
  if (parsed === undefined) return undefined;
  const services = await withFilesFolder(
    reading,
    prepare(reading, parsed)?.entries.get('services')?.value,
    parsed,
  );
  return services?.kind === 'map' ? services : undefined;
}

function isService(path: readonly (string | number)[]): boolean {
  return path.length >= 2 && path.at(-2) === 'services';
}
