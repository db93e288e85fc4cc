import { createHash } from 'node:crypto';
import { mkdir, open, readFile, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskTable, makeDisk } from '../../../builder/disk/disk.ts';
import { inspectArtifact } from '../../../builder/inspect/inspect.ts';
import { run } from '../../../builder/process/run.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { EPOCH, STATE_BYTES, extractPartition, makeTestDisk } from '../test-disk.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const made = await makeTestDisk(join(directory, 'first'));

describe('a disk image', () => {
  test('has partitions that sfdisk, fsck.vfat, fsck.erofs, e2fsck and veritysetup find faultless', async () => {
    const { disk, verity } = made;
    await run([...toolbox.command('sfdisk'), '--verify', disk]);
    await run([...toolbox.command('fsck.vfat'), '-n', await extractPartition(disk, 'esp')]);
    await run([...toolbox.command('fsck.erofs'), await extractPartition(disk, 'root-a')]);
    await run([...toolbox.command('e2fsck'), '-f', '-n', await extractPartition(disk, 'slipway-state')]);
    const slot = [await extractPartition(disk, 'root-a'), await extractPartition(disk, 'verity-a')];
    await run([...toolbox.command('veritysetup'), 'verify', ...slot, verity.rootHash]);
  });

  test('has the same bytes in another directory, umask, time zone and home', async () => {
    const before = { umask: process.umask(0o077), zone: process.env['TZ'], home: process.env['HOME'] };
    process.env['TZ'] = 'Pacific/Kiritimati';
    process.env['HOME'] = '/nonexistent';
    try {
      const there = await makeTestDisk(join(directory, 'a much longer name, with spaces'));
      for (const name of ['root.erofs', 'verity', 'state']) {
        const read = (from: string): Promise<Buffer> => readFile(join(from, name));
        const [ours, theirs] = [await read(made.directory), await read(there.directory)];
        expect(`${name} ${ours.compare(theirs)}`).toBe(`${name} 0`);
      }
      expect(await digests(there.disk)).toEqual(await digests(made.disk));
    } finally {
      process.umask(before.umask);
      if (before.zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before.zone;
      process.env['HOME'] = before.home;
    }
  });

  test('is sparse', async () => {
    const { size, blocks } = await stat(made.disk);
    expect(size).toBeGreaterThan(3 * 1024 ** 3);
    expect(blocks * 512).toBeLessThan(16 * 1024 ** 2);
  });

  test('with sectors of 4096 bytes has a table and an ESP of them', async () => {
    const { disk } = await makeTestDisk(join(directory, 'large-sectors'), 4096);
    await run([...toolbox.command('sfdisk'), '--sector-size', '4096', '--verify', disk]);
    const esp = await extractPartition(disk, 'esp', 4096);
    await run([...toolbox.command('fsck.vfat'), '-n', esp]);
    const file = await open(esp);
    const { buffer } = await file.read(Buffer.alloc(512), 0, 512, 0);
    await file.close();
    expect(buffer.readUInt16LE(11)).toBe(4096);
    expect(await inspectArtifact(disk)).toMatchObject({ kind: 'disk', sectorSize: 4096, problems: [] });
  });

  test('is not left half-written when a part does not fit', async () => {
    const root = join(directory, 'huge');
    await writeFile(root, '');
    await truncate(root, 1024 ** 3 + 4096);
    const output = join(directory, 'never', 'disk.raw');
    await mkdir(join(directory, 'never'));
    const at = (name: string): string => join(made.directory, name);
    const inputs = {
      architecture: 'amd64',
      identity: 'x',
      esp: [],
      verity: root,
      state: at('state'),
    } as const;
    const options = { toolbox, sectorSize: 512, epoch: EPOCH } as const;
    await expect(makeDisk({ ...inputs, root }, output, options)).rejects.toMatchObject({
      code: 'disk.too-large',
    });
    const esp = [{ path: 'EFI/big', bytes: Buffer.alloc(513 * 1024 * 1024) }];
    const small = { ...inputs, esp, root: at('root.erofs'), verity: at('verity') };
    await expect(makeDisk(small, output, options)).rejects.toMatchObject({ code: 'esp.full' });
    expect(await readdir(join(directory, 'never'))).toEqual([]);
  });
});

/** The parts of a disk that hold anything: the first 64 MiB of each partition, and both tables. The rest is holes. */
async function digests(disk: string): Promise<Record<string, string>> {
  const file = await open(disk, 'r');
  const { partitions, diskBytes } = diskTable('amd64', '', 512, STATE_BYTES);
  const MIB = 1024 * 1024;
  const ranges = [
    { name: 'table', offset: 0, length: 4 * MIB },
    ...partitions.map((part) => ({ name: part.name, offset: part.offsetBytes, length: 64 * MIB })),
    { name: 'backup table', offset: diskBytes - 4 * MIB, length: 4 * MIB },
  ];
  const found: Record<string, string> = {};
  const buffer = Buffer.alloc(64 * MIB);
  for (const { name, offset, length } of ranges) {
    await file.read(buffer, 0, length, offset);
    found[name] = createHash('sha256').update(buffer.subarray(0, length)).digest('hex');
  }
  const { size, blocks } = await file.stat();
  await file.close();
  return { ...found, size: String(size), allocated: String(blocks) };
}
