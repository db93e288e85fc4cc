import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readErofs } from '../../../builder/erofs/read.ts';
import { withFile } from '../../../builder/inspect/source.ts';
import { run } from '../../../builder/process/run.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { EPOCH, makeTestDisk } from '../test-disk.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const made = await makeTestDisk(join(directory, 'made'));
const image = join(made.directory, 'root.erofs');

describe('the root file system', () => {
  test('keeps modes, ids and hard links, and has one time for all', async () => {
    const out = join(directory, 'extracted');
    await run([...toolbox.command('fsck.erofs'), `--extract=${out}`, image]);
    const small = await lstat(join(out, 'etc/small'));
    const large = await lstat(join(out, 'etc/large'));
    expect(small.mode & 0o7777).toBe(0o640);
    expect(large.mode & 0o7777).toBe(0o4755);
    if (process.getuid?.() === 0) expect([small.uid, small.gid]).toEqual([12, 12]);
    expect((await lstat(join(out, 'etc/link'))).ino).toBe(large.ino);
    expect(large.mtimeMs).toBe(EPOCH * 1000);
    expect(await readFile(join(out, 'etc/small'), 'utf8')).toBe('small\n');
    expect((await lstat(join(out, 'etc/symlink'))).isSymbolicLink()).toBe(true);
  });

  test('is read by our own reader as it was written', async () => {
    await withFile(image, async (source) => {
      const erofs = await readErofs(source);
      expect((await erofs.readFile('/etc/small'))?.toString()).toBe('small\n');
      expect((await erofs.readFile('/etc/link'))?.equals(Buffer.alloc(2_000_000, 'large'))).toBe(true);
      expect(await erofs.readFile('/etc/file-299')).toEqual(Buffer.from([299 & 255]));
      expect(await erofs.readFile('/etc/missing')).toBeUndefined();
      expect(await erofs.readFile('/etc')).toBeUndefined();
      expect(await erofs.list('/etc')).toHaveLength(304);
      expect(erofs.epoch).toBe(EPOCH);
    });
  });
});
