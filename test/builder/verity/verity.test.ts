import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectArtifact } from '../../../builder/inspect/inspect.ts';
import { withFile } from '../../../builder/inspect/source.ts';
import { run } from '../../../builder/process/run.ts';
import { checkVerity, type VerityCheck } from '../../../builder/verity/check.ts';
import { readVeritySuperblock } from '../../../builder/verity/superblock.ts';
import { makeVerity } from '../../../builder/verity/verity.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { makeTestDisk } from '../test-disk.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const { directory: made, verity } = await makeTestDisk(join(directory, 'made'));

describe('the verity tree', () => {
  test('carries the first half of the root hash as its UUID', async () => {
    const { stdout } = await run([...toolbox.command('veritysetup'), 'dump', join(made, 'verity')]);
    expect(stdout.toString()).toContain(verity.uuid);
    expect(verity.uuid.replaceAll('-', '')).toBe(verity.rootHash.slice(0, 32));
    expect(await inspectArtifact(join(made, 'verity'))).toMatchObject({
      kind: 'verity',
      uuid: verity.uuid,
      salt: verity.salt,
      dataBlocks: verity.dataBlocks,
      algorithm: 'sha256',
    });
    expect((await stat(join(made, 'verity'))).size).toBe((verity.hashBlocks + 1) * 4096);
  });

  test.each(['root.erofs', 'verity'])('finds one flipped bit in %s', async (name) => {
    const bytes = await readFile(join(made, name));
    const offset = name === 'verity' ? 4096 + 100 : Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    const flipped = join(directory, `flipped-${name}`);
    await writeFile(flipped, bytes);
    const [data = '', tree = ''] = ['root.erofs', 'verity'].map((part) =>
      part === name ? flipped : join(made, part),
    );
    const verify = [...toolbox.command('veritysetup'), 'verify', data, tree, verity.rootHash];
    await expect(run(verify)).rejects.toMatchObject({ code: 'process.failed' });
    const found = await check(data, tree);
    expect(found.treeMatches).toBe(false);
    expect(found.rootHash === verity.rootHash).toBe(name === 'verity');
  });

  // One block, one full block of hashes and one more, and three levels.
  test.each([1, 128, 129, 16_385])(
    'of %i blocks has the same root hash by our own reckoning',
    async (blocks) => {
      const data = join(directory, `data${blocks}`);
      await writeFile(data, Buffer.alloc(blocks * 4096, 'data'));
      const made = await makeVerity(data, `${data}.verity`, { toolbox, salt: 'cd'.repeat(32) });
      expect(made.dataBlocks).toBe(blocks);
      expect(await check(data, `${data}.verity`)).toEqual({ rootHash: made.rootHash, treeMatches: true });
    },
  );

  test('refuses what is not whole blocks', async () => {
    const odd = join(directory, 'odd');
    await writeFile(odd, Buffer.alloc(5000));
    await expect(
      makeVerity(odd, join(directory, 'odd.verity'), { toolbox, salt: 'ab'.repeat(32) }),
    ).rejects.toMatchObject({ code: 'verity.size' });
  });
});

function check(data: string, tree: string): Promise<VerityCheck> {
  return withFile(data, (dataSource) =>
    withFile(tree, async (treeSource) => {
      const superblock = readVeritySuperblock(await treeSource.read(0, 512));
      if (superblock === undefined) throw new Error('no superblock');
      return checkVerity(dataSource, treeSource, superblock);
    }),
  );
}
