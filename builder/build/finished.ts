/** Whether a build's output already stands: then nothing is done. */
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { writeFileAtomic } from '../cache/directory.ts';
import type { DownloadSize } from '../report/download.ts';
import type { Manifest } from './manifest.ts';

export interface FinishedBuild {
  readonly manifest: Manifest;
  readonly download: DownloadSize;
}

interface Record extends FinishedBuild {
  readonly key: string;
  /** Artifact -> size and time of its last change, by which a later touch of it is noticed. */
  readonly stamps: Readonly<{ [name: string]: string }>;
}

/** One digest over everything that a build's bytes depend on. */
export async function buildKey(files: readonly string[], rest: unknown): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(rest));
  for (const file of files) hash.update(`\0${file}\0`).update(await readFile(file));
  return hash.digest('hex');
}

/** A digest over files' contents and their places relative to another's: the same wherever the folder lies. */
export async function contentDigest(files: readonly string[], origin: string): Promise<string> {
  const hash = createHash('sha256');
  const named = files.map((file) => ({ file, name: relative(dirname(origin), file) }));
  for (const { file, name } of named.sort((a, b) => (a.name < b.name ? -1 : 1)))
    hash
      .update(`${name}\0`)
      .update(await readFile(file))
      .update('\0');
  return hash.digest('hex');
}

/** The recorded build, if it has this key and nobody has touched its artifacts since. */
export async function finishedBuild(
  output: string,
  base: string,
  key: string,
): Promise<FinishedBuild | undefined> {
  let record: Record;
  try {
    record = JSON.parse(await readFile(recordPath(output, base), 'utf8')) as Record;
  } catch {
    return undefined;
  }
  if (record.key !== key) return undefined;
  const stamps = await artifactStamps(output, Object.keys(record.stamps));
  return JSON.stringify(stamps) === JSON.stringify(record.stamps) ? record : undefined;
}

export async function rememberBuild(
  output: string,
  base: string,
  key: string,
  build: FinishedBuild,
  names: readonly string[],
): Promise<void> {
  const stamps = await artifactStamps(output, names);
  const record: Record = { ...build, key, stamps };
  await writeFileAtomic(recordPath(output, base), JSON.stringify(record));
}

function recordPath(output: string, base: string): string {
  return join(output, `.${base}.build.json`);
}

async function artifactStamps(output: string, names: readonly string[]): Promise<Record['stamps']> {
  const stamps = await Promise.all(
    names.map(async (name) => {
      try {
        const { size, mtimeMs, ino } = await stat(join(output, name));
        return [name, `${size} ${mtimeMs} ${ino}`] as const;
      } catch {
        return [name, 'missing'] as const;
      }
    }),
  );
  return Object.fromEntries(stamps);
}
