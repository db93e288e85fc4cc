import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { temporaryName } from '../../../../builder/cache/directory.ts';
import { withRepositoryLock } from '../../../../updater/repository/repository/lock.ts';

/** No process has this number: it is beyond what a kernel gives. */
const GONE = 4_194_305;
let repository: string;
let bookkeeping: string;

beforeEach(() => {
  repository = mkdtempSync(join(tmpdir(), 'slipway-lock-'));
  bookkeeping = join(repository, '.slipway');
  mkdirSync(bookkeeping);
});
afterEach(() => rmSync(repository, { recursive: true, force: true }));

test('what processes that were killed had begun to write goes with the next one that has the lock', async () => {
  const killed = (name: string): string => `${name}.${GONE}.0123456789ab.tmp`;
  const alive = temporaryName(join(bookkeeping, 'lock'));
  for (const path of [join(repository, killed('timestamp.json')), join(bookkeeping, killed('lock')), alive])
    writeFileSync(path, '');
  const holder = { pid: GONE, host: hostname(), since: new Date(0).toISOString() };
  writeFileSync(join(bookkeeping, 'lock'), JSON.stringify(holder));

  const seen = await withRepositoryLock(repository, () => Promise.resolve(readdirSync(repository)));
  expect(seen).toEqual(['.slipway']);
  expect(readdirSync(bookkeeping).map((name) => join(bookkeeping, name))).toEqual([alive]);
});

test('one at a time', async () => {
  await withRepositoryLock(repository, async () => {
    await expect(withRepositoryLock(repository, () => Promise.resolve())).rejects.toMatchObject({
      code: 'repository.locked',
      message: expect.stringContaining(`process ${process.pid} on`) as string,
    });
  });
});
