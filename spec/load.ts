/** Loads an image definition, or a service file, with everything they name. All faults are collected; nothing is thrown for them. */
import { basename, resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';
import type { Architecture, ImageDefinition } from './image.ts';
import { defineImage } from './image-definition.ts';
import { loadLayers } from './image-layers.ts';
import { IMAGE_ONLY_KEYS } from './image-schema.ts';
import { diskFiles, type InputFiles } from './input-files.ts';
import { readYaml, startReading, type Reading } from './reading.ts';
import { defineServices } from './service-load.ts';
import { loadServices } from './service-file.ts';
import type { ServiceDefinition } from './service.ts';

export interface LoadOptions extends Partial<InputFiles> {
  /** Profiles to activate, in the order in which they are laid over the image. */
  readonly profiles?: readonly string[];
  /** In place of what the definition says. */
  readonly architecture?: Architecture;
}

export interface LoadResult {
  /** Only without errors. */
  readonly image?: ImageDefinition;
  readonly diagnostics: readonly Diagnostic[];
}

export interface LoadServicesResult {
  /** Only without errors. */
  readonly services?: readonly ServiceDefinition[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads an image definition with all that it extends and includes, and the chosen profiles. */
export async function loadImage(file: string, options: LoadOptions = {}): Promise<LoadResult> {
  const reading = startReading({ ...diskFiles, ...options });
  const profiles = [...new Set(options.profiles ?? [])];
  const layers = await loadLayers(reading, resolve(file), file, profiles);
  const image =
    layers === undefined ? undefined : await defineImage(reading, layers, profiles, options.architecture);
  const diagnostics = finished(reading);
  return hasErrors(diagnostics) || image === undefined ? { diagnostics } : { image, diagnostics };
}

/** Reads a service file alone. What it depends on may stand in another file of the image, so that is not checked. */
export async function loadServiceFile(file: string, options: LoadOptions = {}): Promise<LoadServicesResult> {
  const reading = startReading({ ...diskFiles, ...options });
  const located = await loadServices(reading, resolve(file), file);
  const services = await defineServices(reading, located, {
    profiles: new Set(options.profiles),
    complete: false,
  });
  const diagnostics = finished(reading);
  return hasErrors(diagnostics) ? { diagnostics } : { services, diagnostics };
}

/** Which of the two kinds a file is, by its content; `undefined` when it cannot be read or is no mapping. */
export async function fileKind(
  file: string,
  options: LoadOptions = {},
): Promise<'image' | 'services' | undefined> {
  const { root } = (await readYaml(startReading({ ...diskFiles, ...options }), resolve(file), file)) ?? {};
  if (root?.kind !== 'map') return undefined;
  if (IMAGE_ONLY_KEYS.some((key) => root.entries.has(key))) return 'image';
  if (/^(docker-)?compose\.ya?ml$/.test(basename(file))) return 'services';
  return root.entries.has('services') && !root.entries.has('name') ? 'services' : 'image';
}

/** Nobody reads further; a hostile file could have a hundred thousand. */
const MAX_FAULTS = 100;

/** In reading order of files, then by place; what was found on two ways is told once. */
function finished(reading: Reading): readonly Diagnostic[] {
  const seen = new Set<string>();
  const unique = reading.diagnostics.filter((diagnostic) => {
    const key = [diagnostic.file, diagnostic.line, diagnostic.column, diagnostic.message].join('\0');
    return !seen.has(key) && seen.add(key);
  });
  const order = new Map<string, number>();
  for (const { file } of unique) if (!order.has(file)) order.set(file, order.size);
  unique.sort(
    (a, b) => (order.get(a.file) ?? 0) - (order.get(b.file) ?? 0) || a.line - b.line || a.column - b.column,
  );
  const next = unique[MAX_FAULTS];
  if (next === undefined) return unique;
  const rest = unique.length - MAX_FAULTS;
  return [
    ...unique.slice(0, MAX_FAULTS),
    { ...next, code: 'input.more', message: `${rest} more faults from here on` },
  ];
}

function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === 'error');
}
