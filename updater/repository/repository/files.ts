/** The one door to a repository's published files: whole or not at all, durable before the next one is begun. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { publish, writeFileAtomic } from '../../../builder/cache/directory.ts';
import type { FileReference } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';

export interface RepositoryFiles {
  readonly directory: string;
  /** `undefined` when there is none. */
  read(name: string): Promise<Buffer | undefined>;
  list(): Promise<readonly string[]>;
  /** Replaces what stands there. */
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Gives a finished file of the same file system its place, durably. */
  adopt(temporary: string, name: string): Promise<void>;
  remove(name: string): Promise<void>;
}

export function repositoryFiles(directory: string): RepositoryFiles {
  return {
    directory,
    read: async (name) => readFile(join(directory, name)).catch(absent),
    list: async () => (await readdir(directory)).sort(),
    write: (name, bytes) => writeFileAtomic(join(directory, name), bytes),
    adopt: (temporary, name) => adopt(temporary, join(directory, name)),
    remove: (name) => rm(join(directory, name), { force: true }),
  };
}

/** Gives a finished file, which anybody may read, its final name in the same directory, durably. */
export async function adopt(temporary: string, final: string): Promise<void> {
  const handle = await open(temporary, 'r+');
  try {
    await handle.chmod(0o644);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await publish(temporary, final);
}

/** Writes a small file under its digest, unless it is there. */
export async function writePayload(files: RepositoryFiles, bytes: Uint8Array): Promise<FileReference> {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const name = payloadName(sha256);
  if (!(await isWhole(join(files.directory, name), { sha256, sizeBytes: bytes.length })))
    await files.write(name, bytes);
  return { sha256, sizeBytes: bytes.length };
}

/** Whether a file is there with this size and digest. */
export async function isWhole(path: string, { sha256, sizeBytes }: FileReference): Promise<boolean> {
  const status = await stat(path).catch(absent);
  if (status?.isFile() !== true || status.size !== sizeBytes) return false;
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex') === sha256;
}

export function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
