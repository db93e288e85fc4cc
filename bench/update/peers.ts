/** What others make of the same two images: what a machine would download, and what making it costs. */
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { measured, type Cost } from './measured.ts';

export interface PeerResult extends Cost {
  readonly peer: string;
  readonly sizeBytes: number;
}

export async function measurePeers(
  from: string,
  to: string,
  scratch: string,
): Promise<readonly PeerResult[]> {
  const oldBytes = (await stat(from)).size;
  return [
    // The whole old image as its window, and its best secondary compression; without, it is far worse.
    await oneFile('xdelta3 -9', scratch, (output) => [
      'xdelta3',
      '-e',
      '-f',
      '-9',
      '-S',
      'lzma',
      '-B',
      String(oldBytes),
      '-s',
      from,
      to,
      output,
    ]),
    await oneFile('zstd -19 --patch-from', scratch, (output) => [
      'zstd',
      '-q',
      '-f',
      '-19',
      '--long=31',
      `--patch-from=${from}`,
      to,
      '-o',
      output,
    ]),
    await casync(from, to, scratch),
  ];
}

async function oneFile(
  peer: string,
  scratch: string,
  argv: (output: string) => readonly string[],
): Promise<PeerResult> {
  const output = join(scratch, 'peer');
  await mkdir(scratch, { recursive: true });
  const { ms, cpuMs, peakBytes } = await measured(argv(output));
  const { size } = await stat(output);
  await rm(output);
  return { peer, sizeBytes: size, ms, cpuMs, peakBytes };
}

/** The index, and the chunks that the old image's store does not have; it offers no delta, so making is chunking the new image. */
async function casync(from: string, to: string, scratch: string): Promise<PeerResult> {
  const store = join(scratch, 'store');
  const index = join(scratch, 'new.caibx');
  await rm(store, { recursive: true, force: true });
  await mkdir(store, { recursive: true });
  await measured(['casync', 'make', `--store=${store}`, join(scratch, 'old.caibx'), from]);
  const before = await sizeOfTree(store);
  const { ms, cpuMs, peakBytes } = await measured(['casync', 'make', `--store=${store}`, index, to]);
  const sizeBytes = (await sizeOfTree(store)) - before + (await stat(index)).size;
  await rm(store, { recursive: true });
  return { peer: 'casync', sizeBytes, ms, cpuMs, peakBytes };
}

async function sizeOfTree(directory: string): Promise<number> {
  const files = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
