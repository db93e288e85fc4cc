/** `.slipway/garbage.json`: since when nothing refers to a file. Lost, the time of all of them begins anew. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { writeFileAtomic } from '../../../builder/cache/directory.ts';
import type { RepositoryFiles } from '../repository/files.ts';
import { bookkeepingPath } from '../repository/layout.ts';

/** Name -> ISO 8601. */
const Stamps = z.record(z.string(), z.iso.datetime());

export async function readStamps(files: RepositoryFiles): Promise<Readonly<Record<string, string>>> {
  try {
    return Stamps.parse(JSON.parse(await readFile(bookkeepingPath(files.directory, 'garbage.json'), 'utf8')));
  } catch {
    return {};
  }
}

export async function writeStamps(
  files: RepositoryFiles,
  unneeded: readonly { readonly name: string; readonly since: Date }[],
): Promise<void> {
  const stamps = Object.fromEntries(unneeded.map(({ name, since }) => [name, since.toISOString()]));
  await writeFileAtomic(
    bookkeepingPath(files.directory, 'garbage.json'),
    `${JSON.stringify(stamps, undefined, 1)}\n`,
  );
}

/** These are about to be referred to again: when they are given up the next time, their time begins anew. */
export async function forgetStamps(files: RepositoryFiles, names: ReadonlySet<string>): Promise<void> {
  const stamps = Object.entries(await readStamps(files));
  const rest = stamps.filter(([name]) => !names.has(name));
  if (rest.length < stamps.length)
    await writeStamps(
      files,
      rest.map(([name, since]) => ({ name, since: new Date(since) })),
    );
}
