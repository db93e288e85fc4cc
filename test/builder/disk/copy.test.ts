import { open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyInto } from '../../../builder/disk/copy.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();

test('copying into a disk keeps every byte and every hole', async () => {
  const source = join(directory, 'source');
  const target = join(directory, 'target');
  const bytes = Buffer.alloc(5 * 1024 * 1024 + 17);
  bytes.fill(1, 0, 3);
  bytes.fill(2, 1024 * 1024 - 5, 1024 * 1024 + 5);
  bytes.fill(3, bytes.length - 2);
  await writeFile(source, bytes);
  const file = await open(target, 'w+');
  await copyInto(file, source, 8192);
  await file.close();
  expect((await readFile(target)).subarray(8192).equals(bytes)).toBe(true);
  expect((await stat(target)).blocks * 512).toBeLessThan(512 * 1024);
});
