/** One loading: what was read so far, and what was wrong in it. Each file is read and parsed once, however often it is named. */
import { dirname, join, relative, resolve } from 'node:path';
import type { Diagnostic } from './diagnostic.ts';
import type { InputFiles } from './input-files.ts';
import { faultAt, type Located, type LocatedMap, type Position, type SourceFile } from './located.ts';
import { parseYaml } from './yaml.ts';

/** A service that extends a service that extends ... further than this is told off, before it costs time and stack. */
export const MAX_EXTENDS = 20;

/** More files than this in one image is a mistake (or an attack), not a design. */
export const MAX_FILES = 500;

export interface ParsedFile {
  readonly source: SourceFile;
  readonly root?: Located;
}

/** A service as a tree: of one file as written, or merged with all that it extends. */
export interface LocatedService {
  readonly name: string;
  readonly keyAt: Position;
  readonly node: Located;
  /** Volumes that its file declares; `undefined` where any name may be used. */
  readonly volumes?: ReadonlySet<string>;
}

export type LocatedServices = ReadonlyMap<string, LocatedService>;

export interface Reading {
  readonly files: InputFiles;
  readonly diagnostics: Diagnostic[];
  /** Absolute paths in reading order. */
  readonly sources: Set<string>;
  readonly parsed: Map<string, ParsedFile>;
  /** Service files that are checked and in their one form, by path. */
  readonly prepared: Map<string, LocatedMap>;
  /** The services of a file and of what it includes, by path. */
  readonly services: Map<string, LocatedServices>;
}

export function startReading(files: InputFiles): Reading {
  return {
    files,
    diagnostics: [],
    sources: new Set(),
    parsed: new Map(),
    prepared: new Map(),
    services: new Map(),
  };
}

/** A parsed YAML file; `undefined` when it cannot be read, which is then a fault at `wantedAt`, or in the file itself. */
export async function readYaml(
  reading: Reading,
  path: string,
  display: string,
  wantedAt?: Position,
): Promise<ParsedFile | undefined> {
  const earlier = reading.parsed.get(path);
  if (earlier !== undefined) return earlier;
  const content = await readInput(reading, path, wantedAt ?? startOf(path, display));
  if (content === undefined) return undefined;
  const { source, root, diagnostics } = parseYaml(path, display, content);
  reading.diagnostics.push(...diagnostics);
  const file = { source, ...(root === undefined ? {} : { root }) };
  reading.parsed.set(path, file);
  return file;
}

/** The bytes of a file; a fault at `wantedAt` when there are none. */
export async function readInput(
  reading: Reading,
  path: string,
  wantedAt: Position,
): Promise<Uint8Array | string | undefined> {
  if (reading.sources.size >= MAX_FILES) {
    reading.diagnostics.push(
      faultAt(wantedAt, 'file.too-many', `more than ${MAX_FILES} files are read for one image`),
    );
    return undefined;
  }
  try {
    const content = await reading.files.readFile(path);
    reading.sources.add(path);
    return content;
  } catch (error) {
    reading.diagnostics.push(faultAt(wantedAt, 'file.unreadable', `cannot read ${path}: ${reason(error)}`));
    return undefined;
  }
}

/** A path that a file names, relative to that file. */
export function pathFrom(at: Position, written: string): { path: string; display: string } {
  const path = resolve(dirname(at.source.path), written);
  if (written.startsWith('/')) return { path, display: path };
  const folder = dirname(at.source.display);
  return {
    path,
    display: folder.startsWith('/') ? path : join(folder, relative(dirname(at.source.path), path)),
  };
}

export function startOf(path: string, display: string): Position {
  return { source: { path, display, lines: [] }, line: 1, column: 1, length: 1 };
}

function reason(error: unknown): string {
  const code = (error as { code?: unknown }).code;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EACCES') return 'permission denied';
  return error instanceof Error ? error.message : String(error);
}
