import { readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { makeState } from '../../../builder/state/state.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const options = { toolbox, sizeBytes: 64 * 1024 * 1024, identity: 'test', epoch: 1_700_000_000 };

test('the state file system belongs to root, and has nothing of the build machine in it', async () => {
  const state = join(directory, 'state');
  await makeState(state, options);
  const { stdout } = await run([...toolbox.command('debugfs'), '-R', 'stat <2>', state]);
  expect(stdout.toString()).toMatch(/User: +0 +Group: +0 /);
  expect(stdout.toString()).toMatch(/Mode: +0755/);
  await makeState(`${state}2`, { ...options, identity: 'another' });
  const uuid = async (path: string): Promise<string> => (await readFile(path)).toString('hex', 1128, 1144);
  expect(await uuid(`${state}2`)).not.toBe(await uuid(state));
});

test('the state file system grows to a large disk without being checked or made anew', async () => {
  const state = join(directory, 'grown');
  await makeState(state, options);
  await truncate(state, 20 * 1024 ** 3);
  await run([...toolbox.command('resize2fs'), state]);
  await run([...toolbox.command('e2fsck'), '-f', '-n', state]);
  const { stdout } = await run([...toolbox.command('dumpe2fs'), '-h', state]);
  expect(stdout.toString()).toMatch(/Block count: +5242880\n/);
  expect(stdout.toString()).toMatch(/volume name: +slipway-state\n/);
});
