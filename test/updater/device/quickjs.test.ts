/** The bundled programs on the machine's own interpreter. */
import { execFile } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { UPDATER_MODULE } from '../../../host/slipd/paths.ts';
import { quickJs } from '../../host/quickjs.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-qjs-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let qjs: readonly string[] = [];
beforeAll(async () => {
  qjs = await quickJs();
});

function run(...argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [program = '', ...rest] = [...qjs, ...UPDATER_MODULE, ...argv];
  return new Promise((resolve) => {
    execFile(program, rest, { timeout: 20_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}

test('update.js starts, helps, and says what is missing where there is no `update:`', async () => {
  expect((await run('dist/host/update.js', '--help')).stdout).toContain('Usage: slip update COMMAND');
  const { code, stderr } = await run('dist/host/update.js', 'check');
  expect(code).toBe(1);
  expect(stderr).toMatch(/^slip update: this image has no `update:`\n {2}hint: /);
  const json = await run('dist/host/update.js', 'status', '--json');
  expect(JSON.parse(json.stdout)).toMatchObject({ error: { code: 'update.not-configured' } });
});

test('poll.js asks for the updater where nothing tells it what to poll', async () => {
  expect((await run('dist/host/poll.js')).code).toBe(10);
});

test('switch.js says how it is used, with the chunk that it shares', async () => {
  const { code, stderr } = await run('dist/host/switch.js');
  expect(code).toBe(2);
  expect(stderr).toContain('usage: boot | confirm');
});
