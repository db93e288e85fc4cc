/** How long a build takes: all inputs cached, one file of one service changed, nothing changed; and its peak memory. */
import { spawn } from 'node:child_process';
import { appendFile, cp, mkdir, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { cacheRoot } from '../builder/cache/directory.ts';
import { processEnvironment } from '../builder/process/run.ts';
import { KEYS, testKeys } from '../test/boot/image.ts';
import { median, WORK } from './machine.ts';

export interface BuildTimes {
  readonly image: string;
  readonly cachedMs: number;
  readonly oneFileMs: number;
  readonly nothingMs: number;
  readonly peakBytes: number;
}

/** Which file is changed, by image. */
const CHANGED: Readonly<Record<string, string>> = {
  minimal: 'system-containers/network/files/usr/lib/slipway/network-healthy',
  tiny: 'system-containers/network-tiny/files/usr/lib/slipway/network-healthy',
};

/** Medians of `rounds` runs. */
export async function benchBuild(image: string, rounds: number): Promise<BuildTimes> {
  await testKeys();
  const place = join(WORK, 'build');
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  for (const folder of ['images', 'system-containers']) {
    await cp(folder, join(place, folder), { recursive: true });
  }
  const file = join(place, 'images', `${image}.yaml`);
  const output = join(place, 'out');
  const cache = join(place, 'cache');
  const build = (SLIPWAY_CACHE?: string): Promise<Run> =>
    timed(['bin/slipway', 'build', file, '--keys', KEYS, '--output', output], SLIPWAY_CACHE);
  // Once before, so that every package is in the cache.
  await build();
  const runs: Record<'cached' | 'oneFile' | 'nothing', Run[]> = { cached: [], oneFile: [], nothing: [] };
  for (let round = 0; round < rounds; round += 1) {
    // The packages alone: tools, indexes and unpacked modules are made anew.
    await rm(cache, { recursive: true, force: true });
    await rm(output, { recursive: true, force: true });
    await mkdir(cache, { recursive: true });
    await cp(join(cacheRoot(), 'objects'), join(cache, 'objects'), { recursive: true });
    runs.cached.push(await build(cache));
    await appendFile(join(place, CHANGED[image] ?? ''), `# changed ${round}\n`);
    runs.oneFile.push(await build(cache));
    runs.nothing.push(await build(cache));
  }
  const ms = (all: readonly Run[]): number => median(all.map((run) => run.ms));
  return {
    image,
    cachedMs: ms(runs.cached),
    oneFileMs: ms(runs.oneFile),
    nothingMs: ms(runs.nothing),
    peakBytes: Math.max(...Object.values(runs).flatMap((all) => all.map((run) => run.peakBytes))),
  };
}

interface Run {
  readonly ms: number;
  readonly peakBytes: number;
}

/** Runs Node with a program; its peak resident size comes from the kernel, read until it ends. */
async function timed(argv: readonly string[], SLIPWAY_CACHE?: string): Promise<Run> {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    argv.map((word, index) => (index === 0 ? resolve(word) : word)),
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: processEnvironment(SLIPWAY_CACHE === undefined ? {} : { SLIPWAY_CACHE }),
    },
  );
  let peakBytes = 0;
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  const look = setInterval(() => {
    void readFile(`/proc/${child.pid ?? 0}/status`, 'utf8')
      .then((text) => {
        peakBytes = Math.max(peakBytes, 1024 * Number(/VmHWM:\s+(\d+)/.exec(text)?.[1] ?? 0));
      })
      .catch(() => undefined);
  }, 50);
  const code = await new Promise<number | null>((resolveCode) => child.on('close', resolveCode));
  clearInterval(look);
  if (code !== 0) throw new Error(`the build failed\n${stderr}`);
  return { ms: performance.now() - start, peakBytes };
}
