/** A folder: a stick, a mounted share, a web server's own directory. */
import { copyFile, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryName, writeFileAtomic } from '../../../builder/cache/directory.ts';
import { absent, adopt } from '../repository/files.ts';
import { parseFileName } from '../repository/layout.ts';
import type { LocalFile, PushTarget } from './target.ts';

export function folderTarget(folder: string): PushTarget {
  return {
    address: folder,
    parallel: 4,
    batch: 1,
    list: async () => {
      const sizes = new Map<string, number>();
      for (const name of (await readdir(folder).catch(absent)) ?? []) {
        if (parseFileName(name) === undefined) continue;
        const status = await stat(join(folder, name)).catch(absent);
        if (status?.isFile() === true) sizes.set(name, status.size);
      }
      return sizes;
    },
    read: async (name) => readFile(join(folder, name)).catch(absent),
    upload: async (files, done) => {
      await mkdir(folder, { recursive: true });
      await sweep(folder);
      for (const file of files) {
        await copy(file, join(folder, file.name));
        done(file);
      }
    },
    replace: (name, bytes) => writeFileAtomic(join(folder, name), bytes),
    remove: async (names) => {
      for (const name of names) await rm(join(folder, name), { force: true });
    },
  };
}

async function copy({ path }: LocalFile, final: string): Promise<void> {
  const temporary = temporaryName(final);
  try {
    await copyFile(path, temporary);
    await adopt(temporary, final);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

const ABANDONED_MS = 24 * 3600 * 1000;

/** Takes away what pushes left that were cut off: by age, because others may push to a share, too. */
async function sweep(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const final = /^(.+)\.\d+\.[0-9a-f]{12}\.tmp$/.exec(name)?.[1];
    if (final === undefined || parseFileName(final) === undefined) continue;
    const status = await stat(join(folder, name)).catch(absent);
    if (status !== undefined && Date.now() - status.mtimeMs > ABANDONED_MS)
      await rm(join(folder, name), { force: true });
  }
}
