/** The tree that the machine rebuilds is byte for byte the one that veritysetup writes. */
import { createHash } from 'node:crypto';
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../../builder/process/run.ts';
import { makeVerity } from '../../../builder/verity/verity.ts';
import { treeLevels, writeTree } from '../../../host/verity/tree.ts';
import { lockedToolbox } from '../../builder/locked-toolbox.ts';
import { scratchDirectory } from '../../builder/scratch.ts';
import { quickJs } from '../quickjs.ts';

const scratch = scratchDirectory();
const BLOCK = 4096;
const SALT = 'ab'.repeat(32);

/** Every block is another, and no one is zero. */
function dataFile(blocks: number): string {
  const path = join(scratch, `data-${blocks}`);
  const bytes = Buffer.alloc(blocks * BLOCK);
  for (let index = 0; index < blocks; index += 1)
    bytes.fill(`block ${index} of ${blocks}; `, index * BLOCK, (index + 1) * BLOCK);
  writeFileSync(path, bytes);
  return path;
}

test('levels: top first after the superblock', () => {
  expect(treeLevels(1)).toEqual([]);
  expect(treeLevels(2)).toEqual([{ start: 1, blocks: 1 }]);
  expect(treeLevels(128)).toEqual([{ start: 1, blocks: 1 }]);
  expect(treeLevels(129)).toEqual([
    { start: 2, blocks: 2 },
    { start: 1, blocks: 1 },
  ]);
});

describe.each([1, 2, 127, 128, 129, 512, 513, 16384, 16385])('%i blocks', (blocks) => {
  test('equal to veritysetup', async () => {
    const data = dataFile(blocks);
    const oracle = join(scratch, `oracle-${blocks}`);
    const { rootHash } = await makeVerity(data, oracle, { toolbox: await lockedToolbox(), salt: SALT });
    const expected = readFileSync(oracle);
    const bytes = readFileSync(data);
    const tree = Buffer.alloc(expected.length);
    const root = writeTree(blocks, {
      readData: (index, count) => bytes.subarray(index * BLOCK, (index + count) * BLOCK),
      readTree: (index, count) => tree.subarray(index * BLOCK, (index + count) * BLOCK),
      writeTree: (index, written) => void tree.set(written, index * BLOCK),
      digests: (batch) =>
        Buffer.concat(
          Array.from({ length: batch.length / BLOCK }, (_, index) =>
            createHash('sha256')
              .update(Buffer.from(SALT, 'hex'))
              .update(batch.subarray(index * BLOCK, (index + 1) * BLOCK))
              .digest(),
          ),
        ),
    });
    expect(Buffer.from(root).toString('hex')).toBe(rootHash);
    expect(tree.subarray(BLOCK).equals(expected.subarray(BLOCK))).toBe(true);
  });
});

test('the program gives the same under QuickJS, and veritysetup verifies it once the superblock is there', async () => {
  const blocks = 1500;
  const data = dataFile(blocks);
  const oracle = join(scratch, 'oracle');
  const toolbox = await lockedToolbox();
  const { rootHash } = await makeVerity(data, oracle, { toolbox, salt: SALT });
  const tree = join(scratch, 'tree');
  copyFileSync(oracle, tree);
  const file = openSync(tree, 'r+');
  writeSync(file, Buffer.alloc(readFileSync(oracle).length - BLOCK), 0, undefined, BLOCK);
  closeSync(file);
  const { stdout } = await run([
    ...(await quickJs()),
    '-m',
    'dist/host/verity.js',
    data,
    tree,
    String(blocks),
    SALT,
  ]);
  expect(stdout.toString('utf8').trim()).toBe(rootHash);
  expect(readFileSync(tree).equals(readFileSync(oracle))).toBe(true);
  await run([...toolbox.command('veritysetup'), 'verify', data, tree, rootHash]);
});
