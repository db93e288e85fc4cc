/** A disk image whose state holds what the machine is told on its first boot (NoCloud's seed directory). */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import { PROVISIONING_PATHS } from '../../spec/provisioning.ts';
import { openSparseDisk, type Region, type SparseDisk } from '../export/sparse-disk.ts';
import type { GptTable } from '../gpt/table.ts';
import { run } from '../process/run.ts';
import { makeState } from '../state/state.ts';
import type { Toolbox } from '../tools/toolbox.ts';

/** File name (`user-data`, `meta-data`, `network-config`) to content. */
export type SeedDocuments = Readonly<Record<string, string | Uint8Array>>;

/** Calls `use` with the disk; what was made for it is gone afterwards. Throws `install.layout`. */
export async function withSeededState<T>(
  disk: SparseDisk,
  table: GptTable,
  options: { readonly toolbox: Toolbox; readonly epoch: number; readonly seed: SeedDocuments },
  use: (disk: SparseDisk) => Promise<T>,
): Promise<T> {
  const partition = table.partitions.find(({ name }) => name === 'slipway-state');
  if (partition === undefined)
    throw new SlipwayError('install.layout', 'the disk image has no partition slipway-state');
  // Private: a seed may hold secrets.
  const scratch = await mkdtemp(join(tmpdir(), 'slipway-seed-'));
  try {
    const state = join(scratch, 'state.ext4');
    const { sizeBytes } = partition;
    await makeState(state, { ...options, sizeBytes, identity: table.diskGuid });
    await seed(state, scratch, options);
    return await use(withPartition(disk, partition, await openSparseDisk(state, options.toolbox)));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** debugfs writes as root's what an ordinary user may not own. /var of the machine is the root of this file system. */
async function seed(
  state: string,
  scratch: string,
  { toolbox, seed: documents }: { readonly toolbox: Toolbox; readonly seed: SeedDocuments },
): Promise<void> {
  const folder = PROVISIONING_PATHS.seed.replace(/^\/var/, '');
  const commands: string[] = [];
  const own = (path: string, mode: string): void => {
    for (const [field, value] of [
      ['mode', mode],
      ['uid', '0'],
      ['gid', '0'],
    ])
      commands.push(`sif ${path} ${field} ${value}`);
  };
  const folders = [folder];
  for (let parent = dirname(folder); parent !== '/'; parent = dirname(parent)) folders.unshift(parent);
  for (const path of folders) {
    commands.push(`mkdir ${path}`);
    own(path, path === folder ? '040700' : '040755');
  }
  for (const [name, content] of Object.entries(documents)) {
    const file = join(scratch, name);
    await writeFile(file, content, { mode: 0o600 });
    commands.push(`write ${file} ${folder}/${name}`);
    own(`${folder}/${name}`, '0100600');
  }
  const script = join(scratch, 'commands');
  await writeFile(script, `${commands.join('\n')}\n`);
  const { stderr } = await run([...toolbox.command('debugfs'), '-w', '-f', script, state]);
  // It tells of faults, and exits with 0.
  const fault = stderr.split('\n').find((line) => line !== '' && !line.startsWith('debugfs '));
  if (fault !== undefined)
    throw new SlipwayError('install.seed', `the configuration cannot be written into state: ${fault}`);
}

function withPartition(
  disk: SparseDisk,
  partition: { readonly offsetBytes: number; readonly sizeBytes: number },
  inner: SparseDisk,
): SparseDisk {
  const { offsetBytes: start, sizeBytes } = partition;
  const within = (offset: number, part: Region | undefined): boolean =>
    part === undefined || (offset >= part.offset && offset < part.offset + part.sizeBytes);
  return {
    sizeBytes: disk.sizeBytes,
    chunks: async function* (part) {
      let passed = false;
      for await (const chunk of disk.chunks(part)) {
        if (chunk.offset >= start && !passed) {
          passed = true;
          yield* own();
        }
        if (chunk.offset < start || chunk.offset >= start + sizeBytes) yield chunk;
      }
      if (!passed) yield* own();
      async function* own(): ReturnType<SparseDisk['chunks']> {
        for await (const { offset, bytes } of inner.chunks())
          if (within(start + offset, part)) yield { offset: start + offset, bytes };
      }
    },
  };
}
