/** The download size: root and UKI as one stream through `zstd -19 --long=27`. */
import { createReadStream, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { execa } from 'execa';
import { cacheRoot, writeFileAtomic } from '../cache/directory.ts';
import { processEnvironment } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';

export interface DownloadSize {
  readonly sizeBytes: number;
  /** `exact`: zstd -19 --long=27. `at-most`: zstd -3 --long=27, when the exact one was not measured. */
  readonly kind: 'exact' | 'at-most';
}

/**
 * Level 19 compresses about 3 MB/s on one core, longer than everything else in a build: so it runs when asked for, and its answer is kept
 * for the digests of the two artifacts. Otherwise level 3 gives an upper bound in a fraction of a second.
 */
export async function downloadSize(
  root: { path: string; sha256: string },
  uki: { path: string; sha256: string },
  toolbox: Toolbox,
  measure: 'exact' | 'quick',
): Promise<DownloadSize> {
  const key = createHash('sha256').update(`${root.sha256} ${uki.sha256}`).digest('hex');
  const remembered = join(cacheRoot(), 'download-size', key);
  if (existsSync(remembered)) return { sizeBytes: Number(await readFile(remembered, 'utf8')), kind: 'exact' };
  const level = measure === 'exact' ? '-19' : '-3';
  const sizeBytes = await compressedSize([root.path, uki.path], [...toolbox.command('zstd'), level]);
  if (measure === 'exact') await writeFileAtomic(remembered, String(sizeBytes));
  return { sizeBytes, kind: measure === 'exact' ? 'exact' : 'at-most' };
}

async function compressedSize(paths: readonly string[], argv: readonly string[]): Promise<number> {
  const [program = '', ...args] = argv;
  const process = execa(program, [...args, '--long=27', '-T0', '-q', '-c'], {
    env: processEnvironment(),
    extendEnv: false,
    input: Readable.from(concatenate(paths), { objectMode: false }),
    buffer: false,
    encoding: 'buffer',
  });
  let sizeBytes = 0;
  process.stdout.on('data', (chunk: Buffer) => (sizeBytes += chunk.length));
  await process;
  return sizeBytes;
}

async function* concatenate(paths: readonly string[]): AsyncGenerator<Buffer> {
  for (const path of paths)
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) yield chunk as Buffer;
}
