/** One publisher at a time. The lock names its holder; that of a process which has ended is taken over. */
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { removeLeftovers, temporaryName } from '../../../builder/cache/directory.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { absent } from './files.ts';
import { bookkeepingPath } from './layout.ts';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
}

/** Throws `repository.locked` when another process works on it. */
export async function withRepositoryLock<T>(directory: string, work: () => Promise<T>): Promise<T> {
  const path = bookkeepingPath(directory, 'lock');
  await mkdir(dirname(path), { recursive: true });
  const own = `${JSON.stringify({ pid: process.pid, host: hostname(), since: new Date().toISOString() } satisfies Holder)}\n`;
  await acquire(path, own);
  try {
    // Of processes that were killed as they wrote. What somebody who waits for the lock needs, he writes anew.
    for (const folder of [directory, dirname(path)]) await removeLeftovers(folder);
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, own: string): Promise<void> {
  const temporary = temporaryName(path);
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      await writeFile(temporary, own);
      if (await linked(temporary, path)) return;
      const found = await readFile(path, 'utf8').catch(absent);
      if (found === undefined) continue;
      const holder = parseHolder(found);
      if (holder === undefined || !hasEnded(holder)) throw locked(path, holder);
      await takeAway(path, found);
    }
    throw locked(path, undefined);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** link(2) fails when the name is taken: atomic on every file system that a repository lies on. A file that another host took for a leftover is no link. */
async function linked(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'EEXIST' || code === 'ENOENT') return false;
    throw error;
  }
}

/** Only what was looked at: if somebody else took it over meanwhile, theirs is put back. */
async function takeAway(path: string, expected: string): Promise<void> {
  const aside = temporaryName(path);
  const moved = await rename(path, aside).then(() => true, absent);
  if (moved !== true) return;
  if ((await readFile(aside, 'utf8')) !== expected) await linked(aside, path);
  await rm(aside, { force: true });
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    return typeof value?.pid === 'number' && typeof value.host === 'string'
      ? { pid: value.pid, host: value.host, since: String(value.since) }
      : undefined;
  } catch {
    return undefined;
  }
}

function hasEnded({ pid, host }: Holder): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'EPERM');
  }
}

function locked(path: string, holder: Holder | undefined): SlipwayError {
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid} on ${holder.host}, since ${holder.since},`;
  return new SlipwayError('repository.locked', `${who} is changing this repository`, {
    hint: `wait for it; if nothing is at work there any more, remove ${path}`,
  });
}
