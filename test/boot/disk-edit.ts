/** An attacker's tools: a copy of a disk, its boot partition, single bytes. None of it is our own code that wrote them. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../builder/process/run.ts';
import { WORK } from './image.ts';

/** A sparse copy that may be changed; removed after `body`. */
export async function withDiskCopy<T>(disk: string, body: (copy: string) => Promise<T>): Promise<T> {
  const directory = join(WORK, 'copies');
  await mkdir(directory, { recursive: true });
  const copy = join(directory, `${randomUUID()}.raw`);
  try {
    await run(['cp', '--sparse=always', '--reflink=auto', disk, copy]);
    return await body(copy);
  } finally {
    await rm(copy, { force: true });
  }
}

export interface PartitionPlace {
  readonly name: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

export async function partitions(disk: string): Promise<PartitionPlace[]> {
  const { stdout } = await run(['sfdisk', '--json', disk]);
  const { partitiontable: found } = JSON.parse(stdout.toString('utf8')) as {
    partitiontable: {
      sectorsize: number;
      partitions: { name: string; start: number; size: number }[];
    };
  };
  return found.partitions.map(({ name, start, size }) => ({
    name,
    offset: start * found.sectorsize,
    sizeBytes: size * found.sectorsize,
  }));
}

export async function partition(disk: string, name: string): Promise<PartitionPlace> {
  const found = (await partitions(disk)).find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`${disk} has no partition ${name}`);
  return found;
}

/** Writes files into the boot partition (`path` -> bytes); `undefined` removes one. Folders are made. */
export async function changeEsp(
  disk: string,
  files: Readonly<Record<string, Uint8Array | undefined>>,
): Promise<void> {
  const image = `${disk}@@${(await partition(disk, 'esp')).offset}`;
  const mtools = async (argv: readonly string[]): Promise<void> => {
    await run(argv, { environment: { MTOOLS_SKIP_CHECK: '1' } });
  };
  for (const [path, bytes] of Object.entries(files)) {
    if (bytes === undefined) {
      await mtools(['mdel', '-i', image, `::${path}`]);
      continue;
    }
    const folders = path.split('/').slice(0, -1);
    for (const [depth] of folders.entries()) {
      // Already there, mostly.
      await mtools(['mmd', '-D', 's', '-i', image, `::${folders.slice(0, depth + 1).join('/')}`]).catch(
        () => undefined,
      );
    }
    const temporary = join(WORK, 'copies', `${randomUUID()}.file`);
    await writeFile(temporary, bytes);
    try {
      await mtools(['mcopy', '-o', '-i', image, temporary, `::${path}`]);
    } finally {
      await rm(temporary, { force: true });
    }
  }
}

/** Names in a folder of the boot partition. */
export async function listEsp(disk: string, folder: string): Promise<string[]> {
  const image = `${disk}@@${(await partition(disk, 'esp')).offset}`;
  const { stdout } = await run(['mdir', '-b', '-i', image, `::${folder}`], {
    environment: { MTOOLS_SKIP_CHECK: '1' },
  });
  return stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.replace(/^.*\//, ''));
}

export async function flipByte(file: string, offset: number): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    const byte = Buffer.alloc(1);
    await handle.read(byte, 0, 1, offset);
    byte[0] = (byte[0] ?? 0) ^ 0x01;
    await handle.write(byte, 0, 1, offset);
  } finally {
    await handle.close();
  }
}

/** Where some bytes stand in a file; throws unless they are there. */
export async function findBytes(file: string, needle: Uint8Array): Promise<number> {
  const place = (await readFile(file)).indexOf(needle);
  if (place < 0) throw new Error(`${file} does not hold what was looked for`);
  return place;
}
