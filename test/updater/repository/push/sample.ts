/** A repository with payloads of its own, as far as pushing looks into it. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { initTufKeys } from '../../../../updater/repository/keys/init.ts';
import { loadTufKeys, type TufKeys } from '../../../../updater/repository/keys/load.ts';
import { repositoryFiles } from '../../../../updater/repository/repository/files.ts';
import { initRepository } from '../../../../updater/repository/repository/init.ts';
import { publish } from '../../../../updater/repository/repository/publish.ts';
import { readPublished } from '../../../../updater/repository/repository/state.ts';
import { releaseTargetName } from '../../../../updater/release/names.ts';
import { ENTRY } from '../../release/samples.ts';

export interface Sample {
  readonly directory: string;
  /** Publishes a version with a manifest and payloads of these sizes; returns the files' names. */
  release(version: string, payloadBytes: readonly number[]): Promise<readonly string[]>;
  /** Signs a new timestamp for the same. */
  touch(): Promise<void>;
}

export async function sampleRepository(scratch: string): Promise<Sample> {
  const keysDirectory = join(scratch, 'keys');
  await mkdir(keysDirectory, { recursive: true });
  await initTufKeys(keysDirectory);
  const keys = await loadTufKeys(keysDirectory);
  const directory = join(scratch, 'repository');
  await initRepository(directory, keys);
  await writeFile(join(directory, 'NOTES'), 'not for machines');
  const named = async (name: (sha256: string) => string, bytes: Uint8Array): Promise<string> => {
    const file = name(sha256Of(bytes));
    await writeFile(join(directory, file), bytes);
    return file;
  };
  return {
    directory,
    release: async (version, payloadBytes) => {
      const names: string[] = [];
      for (const sizeBytes of payloadBytes)
        names.push(await named((sha256) => `${sha256}.payload`, randomBytes(sizeBytes)));
      const entry = { ...ENTRY, version };
      const target = releaseTargetName(entry);
      const manifest = Buffer.from(JSON.stringify({ version }));
      names.push(await named((sha256) => `${sha256}.${target}`, manifest));
      await republish(directory, keys, {
        [target]: { sizeBytes: manifest.length, sha256: sha256Of(manifest), custom: entry },
      });
      return names;
    },
    touch: () => republish(directory, keys, undefined),
  };
}

type Added = Record<string, { sizeBytes: number; sha256: string; custom: typeof ENTRY }>;

async function republish(directory: string, keys: TufKeys, added: Added | undefined): Promise<void> {
  const files = repositoryFiles(directory);
  const state = await readPublished(files, keys);
  const targets = { ...Object.fromEntries(state.targets.targets), ...added };
  await publish(files, state, keys, added === undefined ? {} : { targets });
}

/** Name -> digest of what a folder holds, without the publisher's own. */
export async function contents(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = (await readdir(folder)).filter((name) => name !== '.slipway' && name !== 'NOTES').sort();
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, sha256Of(await readFile(join(folder, name)))] as const),
    ),
  );
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
