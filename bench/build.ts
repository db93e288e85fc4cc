/** How long a build takes: all inputs cached, one file of one service changed, nothing changed; and its peak memory. */
import { spawn } from 'node:child_process';
import { cp, mkdir, readFile, rm, appendFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { processEnvironment } from '../builder/process/run.ts';
import { KEYS, testKeys } from '../test/boot/image.ts';
import { WORK } from './machine.ts';

export interface BuildTimes {
  readonly image: string;
  readonly cachedMs: number;
  readonly oneFileMs: number;
  readonly nothingMs: number;
  readonly peakBytes: number;
}

export async function benchBuild(image: string): Promise<BuildTimes> {
  await testKeys();
  const place = join(WORK, 'build');
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  for (const folder of ['images', 'system-containers']) {
    await cp(folder, join(place, folder), { recursive: true });
  }
  const file = join(place, 'images', `${image}.yaml`);
  const argv = ['bin/slipway', 'build', file, '--keys', KEYS, '--output', join(place, 'out')];
  // Once before, so that every input is in the cache; its output is dropped.
  await timed(argv);
  await rm(join(place, 'out'), { recursive: true });
  const cached = await timed(argv);
  await appendFile(
    join(place, 'system-containers/network/files/usr/lib/slipway/network-healthy'),
    '# changed\n',
  );
  const oneFile = await timed(argv);
  const nothing = await timed(argv);
  return {
    image,
    cachedMs: cached.ms,
    oneFileMs: oneFile.ms,
    nothingMs: nothing.ms,
    peakBytes: Math.max(cached.peakBytes, oneFile.peakBytes),
  };
}

/** Runs Node with a program; its peak resident size comes from the kernel, read until it ends. */
async function timed(argv: readonly string[]): Promise<{ ms: number; peakBytes: number }> {
  const start = performance.now();
  const child = spawn(
    process.execPath,
    argv.map((word, index) => (index === 0 ? resolve(word) : word)),
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: processEnvironment(),
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
