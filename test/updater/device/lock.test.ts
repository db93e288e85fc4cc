/** One update at a time; and whoever is gone holds nobody up. */
import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { isLocked, withUpdateLock } from '../../../updater/device/lock.ts';
import { PATHS } from '../../../updater/device/paths.ts';
import { rootedSystem, type RootedSystem } from './rooted-system.ts';

const LOCK = PATHS.lock;
const folder = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let system: RootedSystem;
beforeEach(() => {
  system = rootedSystem(mkdtempSync(join(folder, 'machine-')));
});

const work = (): Promise<string> => withUpdateLock(system, () => Promise.resolve('done'));

/** As the kernel tells it: field 22. */
function startTime(pid: number): string {
  const text = system.readText(`/proc/${pid}/stat`) ?? '';
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

test('while somebody works, the next one is told who; when they are done, or have failed, it is free', async () => {
  await withUpdateLock(system, async () => {
    expect(isLocked(system)).toBe(true);
    system.give(PATHS.progress, '{}');
    await expect(work()).rejects.toMatchObject({
      code: 'update.busy',
      message: `another update is under way (process ${process.pid})`,
    });
  });
  system.remove(PATHS.progress);
  await expect(withUpdateLock(system, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(isLocked(system)).toBe(false);
  expect(await work()).toBe('done');
});

test('who only looks for something new is waited for', async () => {
  const order: string[] = [];
  const looking = withUpdateLock(system, async () => {
    await new Promise((resolve) => setTimeout(resolve, 150));
    order.push('looked');
  });
  await withUpdateLock(system, () => Promise.resolve(order.push('applied')));
  await looking;
  expect(order).toEqual(['looked', 'applied']);
});

test('failure 36: a holder that was killed blocks nobody', async () => {
  const holder = spawn('sleep', ['60'], { stdio: 'ignore' });
  const pid = holder.pid ?? 0;
  system.give(LOCK, `${pid} ${startTime(pid)}\n`);
  system.give(PATHS.progress, '{}');
  await expect(work()).rejects.toMatchObject({ code: 'update.busy' });
  const gone = new Promise((resolve) => void holder.once('exit', resolve));
  holder.kill('SIGKILL');
  await gone;
  expect(isLocked(system)).toBe(false);
  expect(await work()).toBe('done');
});

test.each([
  ['whose number is another program’s by now', `${process.pid} 12345\n`],
  ['of which half was written', `${process.pid}`],
  ['that is empty', ''],
  ['that holds something else', 'not\na lock\0'],
])('failure 36: a lock %s blocks nobody', async (_, text) => {
  system.give(LOCK, text);
  expect(isLocked(system)).toBe(false);
  expect(await work()).toBe('done');
  expect(system.readText(LOCK)).toBeUndefined();
});
