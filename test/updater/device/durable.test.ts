/** What the updater keeps in small files is there after a power cut, or what was there before. */
import { mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { writeDurably } from '../../../updater/device/durable.ts';
import { createQuickSystem } from './quick-system.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-durable-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

test('flushed before it has its name, and the name flushed behind it', async () => {
  const calls: string[] = [];
  const system = createQuickSystem({ ran: (argv) => calls.push(argv.join(' ')) });
  const rename = system.rename.bind(system);
  Object.assign(system, {
    rename: (from: string, to: string) => {
      if (from.endsWith('.next')) calls.push('rename');
      return rename(from, to);
    },
  });
  const path = join(folder, 'state/file');
  await writeDurably(system, path, 'text');
  expect(calls).toEqual([`sync ${path}.next`, 'rename', `sync ${join(folder, 'state')}`]);
  expect(system.readText(path)).toBe('text');
  expect(readdirSync(join(folder, 'state'))).toEqual(['file']);
});

test('a partition that takes no more: what was there stays, and that is told', async () => {
  const system = createQuickSystem();
  const path = join(folder, 'kept');
  writeFileSync(path, 'before');
  Object.assign(system, {
    writeText: () => {
      throw new Error('no space left on device');
    },
  });
  await expect(writeDurably(system, path, 'text')).rejects.toMatchObject({ code: 'update.state-write' });
  expect(system.readText(path)).toBe('before');
});
