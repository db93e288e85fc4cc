/** What an update costs on the wire, and to make, beside what others make of the same images in the same run. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { build } from 'esbuild';
import { writeFileAtomic } from '../../builder/cache/directory.ts';
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';
import type { PayloadReference } from '../../updater/release/document.ts';
import { verifyPayload } from '../../updater/repository/delta/apply.ts';
import { measured, type Cost } from './measured.ts';
import { makePairs, type Built, type Pair } from './pairs.ts';
import { measurePeers, type PeerResult } from './peers.ts';

export interface UpdateResult {
  readonly image: string;
  readonly pair: Pair['name'];
  readonly rootBytes: number;
  readonly root: Made;
  readonly uki: Made;
  readonly peers: readonly PeerResult[];
}

interface Made {
  readonly deltaBytes: number;
  readonly fullBytes: number;
  readonly making: Cost;
}

/** Where it works: reference is the bench's own, others are images/<name>.yaml. */
export const UPDATE_IMAGES = ['reference', 'minimal'];
const WORK = resolve('build/bench/update');

export async function benchUpdate(image: string): Promise<readonly UpdateResult[]> {
  const definition = image === 'reference' ? 'bench/images/reference.yaml' : `images/${image}.yaml`;
  const make = await bundleMaker();
  const results: UpdateResult[] = [];
  for (const { name, from, to } of await makePairs(definition)) {
    process.stderr.write(`  ${name}\n`);
    const result: UpdateResult = {
      image,
      pair: name,
      rootBytes: (await stat(to.root)).size,
      root: await makeBoth(make, from, to, 'root'),
      uki: await makeBoth(make, from, to, 'uki'),
      peers: await measurePeers(from.root, to.root, join(WORK, 'scratch')),
    };
    process.stderr.write(`  ${JSON.stringify(result)}\n`);
    results.push(result);
  }
  return results;
}

/** Where scripts/bundled.mjs puts bundles, too. */
async function bundleMaker(): Promise<string> {
  const outfile = resolve('dist/bench-update-make.mjs');
  await build({
    entryPoints: ['bench/update/make.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
  return outfile;
}

async function makeBoth(make: string, from: Built, to: Built, part: 'root' | 'uki'): Promise<Made> {
  const blockBytes = part === 'root' ? '4096' : '512';
  const output = join(WORK, 'payloads', `${basename(from[part])}-${basename(to[part])}`);
  await mkdir(join(WORK, 'payloads'), { recursive: true });
  const full = await fullSize(make, blockBytes, to[part]);
  const { stdout, ms, cpuMs, peakBytes } = await measured([
    process.execPath,
    make,
    'delta',
    blockBytes,
    output,
    to[part],
    from[part],
  ]);
  const reference = JSON.parse(stdout) as PayloadReference;
  const toolbox = await openToolbox((await readLock('images/minimal.lock'))?.tools ?? []);
  await verifyPayload({ payload: output, reference, old: from[part], expected: to[part], toolbox });
  await rm(output);
  return { deltaBytes: reference.sizeBytes, fullBytes: full, making: { ms, cpuMs, peakBytes } };
}

/** Made once for an image: it takes a minute. */
async function fullSize(make: string, blockBytes: string, image: string): Promise<number> {
  const remembered = `${image}.full.json`;
  const isKept = existsSync(remembered) && (await stat(remembered)).mtimeMs > (await stat(image)).mtimeMs;
  if (!isKept) {
    const output = `${image}.full`;
    const { stdout } = await measured([process.execPath, make, 'full', blockBytes, output, image]);
    await writeFileAtomic(remembered, stdout);
    await rm(output);
  }
  return (JSON.parse(await readFile(remembered, 'utf8')) as PayloadReference).sizeBytes;
}
