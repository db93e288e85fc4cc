/** What is pushed, and in which order: decided here, done in push.ts. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SlipwayError } from '../../../spec/error.ts';
import { absent } from '../repository/files.ts';
import { metadataName, parseFileName, TIMESTAMP, type FileName } from '../repository/layout.ts';
import { parseMetaList, type MetaListFile } from '../repository/signed-file.ts';
import type { LocalFile } from './target.ts';

/** A state of a repository that a publisher completed: what its timestamp, read first, leads to is all there. */
export interface LocalState {
  readonly timestamp: MetaListFile;
  readonly targetsVersion: number | undefined;
  /** All but the timestamp. */
  readonly files: readonly LocalFile[];
}

/** Files of a stage may come in any order; no stage begins before the one ahead is over. */
export interface Stage {
  readonly name: 'payloads' | 'manifests' | 'releases' | 'snapshots' | 'roots';
  readonly files: readonly LocalFile[];
}

/** Needs no lock: publishers write the timestamp last, and keep what is given up for days. Throws `push.no-repository`, `push.incomplete`. */
export async function readLocal(directory: string): Promise<LocalState> {
  const bytes = await readFile(join(directory, TIMESTAMP)).catch(absent);
  if (bytes === undefined)
    throw new SlipwayError('push.no-repository', `${directory} is no repository: it has no ${TIMESTAMP}`, {
      hint: 'make one: slipway repo init',
    });
  const timestamp = parseMetaList(bytes, TIMESTAMP);
  const files: LocalFile[] = [];
  for (const name of (await readdir(directory)).sort()) {
    const kind = parseFileName(name)?.kind;
    if (kind === undefined || kind === 'timestamp') continue;
    const path = join(directory, name);
    const status = await stat(path).catch(absent);
    if (status?.isFile() === true) files.push({ name, path, sizeBytes: status.size });
  }
  const snapshotName = metadataName('snapshot', timestamp.meta['snapshot.json']?.version ?? 0);
  const snapshot = await readFile(join(directory, snapshotName)).catch(absent);
  const meta = snapshot === undefined ? undefined : parseMetaList(snapshot, snapshotName).meta;
  const named = Object.entries(meta ?? {}).map(([name, { version }]) =>
    metadataName(name.replace(/\.json$/, ''), version),
  );
  const missing = [snapshotName, metadataName('root', 1), ...named].filter(
    (name) => !files.some((file) => file.name === name),
  );
  if (missing.length > 0)
    throw new SlipwayError('push.incomplete', `${directory} lacks ${missing.join(', ')}`, {
      hint: 'slipway repo verify tells what else is wrong',
    });
  return { timestamp, targetsVersion: meta?.['targets.json']?.version, files };
}

/** Files that the target lacks, or has with another size. What anything refers to comes before it. */
export function planStages(
  files: readonly LocalFile[],
  present: ReadonlyMap<string, number>,
): readonly Stage[] {
  const lacking = files.filter(({ name, sizeBytes }) => present.get(name) !== sizeBytes);
  const of = (name: Stage['name']): Stage => ({
    name,
    files: lacking.filter((file) => stageOf(parseFileName(file.name)) === name),
  });
  const roots = of('roots');
  return [
    of('payloads'),
    of('manifests'),
    of('releases'),
    of('snapshots'),
    // A client follows them one by one: never a newer one before an older one.
    { name: 'roots', files: [...roots.files].sort((a, b) => rootVersion(a) - rootVersion(b)) },
  ];
}

/** What the target has and the repository no longer. Roots stay for ever, and what is not ours is left alone. */
export function planRemoval(
  files: readonly LocalFile[],
  present: ReadonlyMap<string, number>,
): readonly string[] {
  const kept = new Set([TIMESTAMP, ...files.map(({ name }) => name)]);
  return [...present.keys()].filter((name) => {
    const parsed = parseFileName(name);
    return parsed !== undefined && !kept.has(name) && stageOf(parsed) !== 'roots';
  });
}

function stageOf(name: FileName | undefined): Stage['name'] | undefined {
  if (name?.kind === 'payload') return 'payloads';
  if (name?.kind === 'target') return 'manifests';
  if (name?.kind !== 'metadata') return undefined;
  return name.role === 'root' ? 'roots' : name.role === 'snapshot' ? 'snapshots' : 'releases';
}

function rootVersion({ name }: LocalFile): number {
  const parsed = parseFileName(name);
  return parsed?.kind === 'metadata' ? parsed.version : 0;
}
