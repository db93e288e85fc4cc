/** What the machine asks of the kernel, and in which order: only that makes a file last. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { run } from '../../../../builder/process/run.ts';
import { bundleForMachine, quickJs } from '../../quickjs.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-durable-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('each file is on the disk before it has its name, and the names before it is said to be done', async () => {
  const program = join(folder, 'durable.js');
  const state = join(folder, 'state');
  const trace = join(folder, 'trace');
  await bundleForMachine('test/host/provision/store/durable-main.ts', program);
  const calls = '--trace=openat,write,rename,renameat2,execve,exit_group';
  await run(['strace', '-f', '-s', '200', '-o', trace, calls, ...(await quickJs()), '-m', program, state]);

  expect(readdirSync(state)).toEqual(['one', 'two']);
  expect(readFileSync(join(state, 'two'), 'utf8')).toBe('two');
  const steps = readFileSync(trace, 'utf8')
    .split('\n')
    .flatMap((line) => {
      if (/openat\(.*\.new", .*O_SYNC/.test(line)) return 'opened to be written through';
      if (/write\(\d+, "(one|two)", 3\) += 3/.test(line)) return 'written';
      if (/rename.*\.new", .*= 0/.test(line)) return 'named';
      return /execve\(.*"sync", "[^"]*\/state"\].* = 0/.test(line) ? 'settled' : [];
    });
  const whole = ['opened to be written through', 'written'];
  expect(steps).toEqual([...whole, ...whole, 'named', 'named', 'settled']);
});
