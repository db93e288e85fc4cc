import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { expect, test } from 'vitest';
import { startChild } from '../../lab/child.ts';

test('a program ends with its own code, and what it said last is kept', async () => {
  const exit = await startChild(['sh', '-c', 'echo sorry >&2; exit 7']).exited;
  expect(exit).toMatchObject({ code: 7, stderr: 'sorry' });
});

test('a killed program is gone when that is reported', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-child-'));
  try {
    const child = startChild(['sh', '-c', `echo $$ >${directory}/pid; kill -STOP $$; sleep 1000`]);
    const pid = await written(`${directory}/pid`);
    child.kill();
    expect((await child.exited).code).toBe(137);
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a program does not outlive us, even when we are killed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-child-'));
  try {
    const script = join(directory, 'parent.mjs');
    await build({
      stdin: {
        contents: `import { startChild } from './lab/child.ts'; startChild(['sh', '-c', 'echo $$ >${directory}/pid; exec sleep 1000']);`,
        resolveDir: process.cwd(),
        loader: 'ts',
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      banner: {
        js: "import { createRequire as __r } from 'node:module'; const require = __r(import.meta.url);",
      },
      outfile: script,
      logLevel: 'silent',
    });
    const parent = spawn(process.execPath, [script], { stdio: 'ignore' });
    const pid = await written(`${directory}/pid`);
    parent.kill('SIGKILL');
    const deadline = Date.now() + 10_000;
    while (existsSync(`/proc/${pid}`) && Date.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(existsSync(`/proc/${pid}`)).toBe(false);
  } finally {
    await rm(directory, { recursive: true });
  }
});

async function written(path: string): Promise<string> {
  for (;;) {
    const text = await readFile(path, 'utf8').catch(() => '');
    if (text.endsWith('\n')) return text.trim();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
