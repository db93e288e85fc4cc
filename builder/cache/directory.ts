/** Atomic writes, and the cache's places. Nothing half-written ever stands under a final name. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** `SLIPWAY_CACHE`, else `$XDG_CACHE_HOME/slipway`, else `~/.cache/slipway`. */
export function cacheRoot(): string {
  const named = process.env['SLIPWAY_CACHE'];
  if (named !== undefined && named !== '') return named;
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'slipway');
}

/** A name beside `path` that no other process uses. */
export function temporaryName(path: string): string {
  return `${path}.${process.pid}.${randomBytes(6).toString('hex')}.tmp`;
}

/** Temporary file in the same directory, fsync, rename, fsync of the directory. */
export async function writeFileAtomic(path: string, data: Uint8Array | string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const temporary = temporaryName(path);
  try {
    const handle = await open(temporary, 'wx', mode);
    try {
      await handle.writeFile(data);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await publish(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Moves something finished to its final name, durably. */
export async function publish(temporary: string, path: string): Promise<void> {
  await rename(temporary, path);
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/**
 * A directory under the cache that is made once for a key: `make` fills a temporary directory, which is then renamed. Two processes
 * that make the same one at once are both right: the second finds the first's and drops its own.
 */
export async function cachedDirectory(
  kind: string,
  key: unknown,
  make: (directory: string) => Promise<void>,
): Promise<string> {
  const digest = createHash('sha256').update(JSON.stringify(key)).digest('hex');
  const final = join(cacheRoot(), kind, digest);
  if (existsSync(final)) return final;
  await removeAbandoned(join(cacheRoot(), kind));
  const temporary = temporaryName(final);
  await mkdir(temporary, { recursive: true });
  try {
    await make(temporary);
    await publish(temporary, final);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    if (existsSync(final)) return final;
    throw error;
  }
  return final;
}

const ABANDONED_MS = 24 * 3600 * 1000;

/** Clears away what interrupted processes left in a folder of the cache: nothing is in the making for a day. */
export async function removeAbandoned(folder: string): Promise<void> {
  const names = await readdir(folder).catch((): string[] => []);
  for (const name of names.filter((each) => each.endsWith('.tmp'))) {
    const path = join(folder, name);
    const status = await stat(path).catch(() => undefined);
    if (status !== undefined && Date.now() - status.mtimeMs > ABANDONED_MS) {
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** Clears away the temporary files (see `temporaryName`) of processes that have ended, in a folder that several builds may share. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch((): string[] => [])) {
    const pid = /\.(\d+)\.[0-9a-f]{12}\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid)))
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process: it runs.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
