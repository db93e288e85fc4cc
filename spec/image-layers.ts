/**
 * An image definition as the layers it is made of, the lowest first: what it extends, itself, then the chosen profiles of all of these.
 * Keys merge by the rule of merge.ts. Services are exchanged by name: a later layer's service replaces an earlier one whole.
 */
import { faultAt, mapNode, type Located, type LocatedMap, type Position } from './located.ts';
import { resolveDollars } from './interpolate.ts';
import { IMAGE_RULES, mergeNodes } from './merge.ts';
import { imageSchema } from './image-schema.ts';
import { pathFrom, readYaml, type LocatedService, type LocatedServices, type Reading } from './reading.ts';
import { parseShape, type ShapeOptions } from './shape.ts';
import {
  addServices,
  loadServices,
  normaliseServices,
  ownServices,
  SERVICE_FILE_WORDS,
  withoutResets,
} from './service-file.ts';

export interface ImageLayers {
  /** Absolute path of the image definition itself. */
  readonly file: string;
  readonly startAt: Position;
  /** Everything but services, merged. */
  readonly settings: LocatedMap;
  readonly services: LocatedServices;
  /** The names of all profiles that some layer defines. */
  readonly profiles: ReadonlySet<string>;
}

/** Names the mappings of an image definition in messages. */
export const IMAGE_FILE_WORDS: ShapeOptions = {
  unsupported: (at) => (at.length === 0 ? undefined : SERVICE_FILE_WORDS.unsupported?.(at)),
  noun: (at) => (at.length === 0 ? 'an image definition' : SERVICE_FILE_WORDS.noun?.(at)),
};

/** `undefined` when the file itself cannot be read. */
export async function loadLayers(
  reading: Reading,
  file: string,
  display: string,
  profiles: readonly string[],
): Promise<ImageLayers | undefined> {
  const own = await chainOf(reading, file, display, undefined, []);
  const last = own.at(-1);
  if (last === undefined) return undefined;
  const overlays = profiles.flatMap((profile) => own.flatMap((layer) => profileOf(layer, profile) ?? []));
  let settings: Located = mapNode(last.at, new Map());
  const services = new Map<string, LocatedService>();
  for (const layer of [...own, ...overlays]) {
    settings = mergeNodes(
      settings,
      without(layer, ['include', 'services', 'profiles', 'extends']),
      IMAGE_RULES,
    );
    for (const [name, service] of await layerServices(reading, layer)) {
      if (service === undefined) services.delete(name);
      else services.set(name, service);
    }
  }
  const names = own.flatMap((layer) => {
    const defined = layer.entries.get('profiles')?.value;
    return defined?.kind === 'map' ? [...defined.entries.keys()] : [];
  });
  // The name is the image's own, never that of the one it extends.
  const name = last.entries.get('name');
  const entries = new Map((settings as LocatedMap).entries);
  if (name === undefined) entries.delete('name');
  return {
    file,
    startAt: { ...last.at, line: 1, column: 1, length: 1 },
    settings: mapNode(last.at, entries),
    services,
    profiles: new Set(names),
  };
}

/** The file and all that it extends, the lowest first. */
async function chainOf(
  reading: Reading,
  path: string,
  display: string,
  wantedAt: Position | undefined,
  chain: readonly string[],
): Promise<readonly LocatedMap[]> {
  const file = await readYaml(reading, path, display, wantedAt);
  if (file?.root === undefined) return [];
  const parsed = withDollars(reading, file.root);
  reading.diagnostics.push(...parseShape(imageSchema, withoutResets(parsed), IMAGE_FILE_WORDS).diagnostics);
  if (parsed.kind !== 'map') return [];
  const root = normaliseLayer(reading, parsed);
  const base = root.entries.get('extends')?.value;
  if (base?.kind !== 'scalar' || typeof base.value !== 'string') return [root];
  const next = pathFrom(base.at, base.value);
  if ([...chain, path].includes(next.path)) {
    reading.diagnostics.push(faultAt(base.at, 'extends.cycle', 'this image extends itself'));
    return [root];
  }
  return [...(await chainOf(reading, next.path, next.display, base.at, [...chain, path])), root];
}

/** Compose's rule about dollars holds in inline services only. */
function withDollars(reading: Reading, root: Located): Located {
  if (root.kind !== 'map') return root;
  const entries = new Map(root.entries);
  for (const key of ['services', 'profiles']) {
    const entry = entries.get(key);
    if (entry === undefined) continue;
    const value =
      key === 'services'
        ? resolveDollars(entry.value, reading.diagnostics)
        : profilesWithDollars(reading, entry.value);
    entries.set(key, { ...entry, value });
  }
  return mapNode(root.at, entries, root.tag);
}

function profilesWithDollars(reading: Reading, profiles: Located): Located {
  if (profiles.kind !== 'map') return profiles;
  const entries = [...profiles.entries].map(
    ([name, entry]) => [name, { ...entry, value: withDollars(reading, entry.value) }] as const,
  );
  return mapNode(profiles.at, new Map(entries), profiles.tag);
}

function normaliseLayer(reading: Reading, root: LocatedMap): LocatedMap {
  const normal = normaliseServices(reading, root);
  const profiles = normal.entries.get('profiles');
  if (profiles?.value.kind !== 'map') return normal;
  const entries = [...profiles.value.entries].map(
    ([name, entry]) =>
      [
        name,
        {
          ...entry,
          value: entry.value.kind === 'map' ? normaliseServices(reading, entry.value) : entry.value,
        },
      ] as const,
  );
  const value = mapNode(profiles.value.at, new Map(entries), profiles.value.tag);
  return mapNode(normal.at, new Map([...normal.entries, ['profiles', { ...profiles, value }]]), normal.tag);
}

function profileOf(layer: LocatedMap, profile: string): LocatedMap | undefined {
  const profiles = layer.entries.get('profiles')?.value;
  const overlay = profiles?.kind === 'map' ? profiles.entries.get(profile)?.value : undefined;
  return overlay?.kind === 'map' ? overlay : undefined;
}

/** What a layer says of services: by name, the service, or `undefined` where it removes one. */
async function layerServices(
  reading: Reading,
  layer: LocatedMap,
): Promise<ReadonlyMap<string, LocatedService | undefined>> {
  const found = new Map<string, LocatedService>();
  const include = layer.entries.get('include')?.value;
  for (const item of include?.kind === 'list' ? include.items : []) {
    if (item.kind !== 'scalar' || typeof item.value !== 'string') continue;
    const { path, display } = await serviceFilePath(reading, item.at, item.value);
    addServices(reading, found, await loadServices(reading, path, display, item.at));
  }
  const services = layer.entries.get('services')?.value;
  const removed = new Map<string, undefined>();
  if (services?.kind === 'map') {
    const kept = [...services.entries].filter(([, { value }]) => !isNothing(value));
    for (const [name, { value }] of services.entries) if (isNothing(value)) removed.set(name, undefined);
    const inline = await ownServices(reading, mapNode(services.at, new Map(kept)), undefined);
    // Written in the image itself, a service replaces the one of the same name that this image includes.
    for (const [name, service] of inline) found.set(name, service);
  }
  return new Map<string, LocatedService | undefined>([...found, ...removed]);
}

/** An included folder stands for the `compose.yaml` in it. */
async function serviceFilePath(
  reading: Reading,
  at: Position,
  written: string,
): Promise<{ path: string; display: string }> {
  const named = pathFrom(at, written);
  if ((await reading.files.kindOf(named.path)) !== 'folder') return named;
  return pathFrom(at, `${written.replace(/\/$/, '')}/compose.yaml`);
}

function isNothing(value: Located): boolean {
  return value.tag === 'reset' || (value.kind === 'scalar' && value.value === null);
}

function without(layer: LocatedMap, keys: readonly string[]): LocatedMap {
  return mapNode(layer.at, new Map([...layer.entries].filter(([key]) => !keys.includes(key))), layer.tag);
}
