import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, open, readFile, readdir, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import { beforeAll, describe, expect, test } from 'vitest';
import { signPe } from '../../../builder/authenticode/sign.ts';
import { copyInto } from '../../../builder/disk/copy.ts';
import { diskTable, makeDisk } from '../../../builder/disk/disk.ts';
import { readErofs } from '../../../builder/erofs/read.ts';
import { makeErofs } from '../../../builder/erofs/erofs.ts';
import { espFiles, loaderConf, ukiFileName } from '../../../builder/esp/files.ts';
import { readFat } from '../../../builder/esp/read.ts';
import type { SectorSize } from '../../../builder/gpt/table.ts';
import { inspectArtifact } from '../../../builder/inspect/inspect.ts';
import { partOf, withFile } from '../../../builder/inspect/source.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { appendSections } from '../../../builder/pe/append.ts';
import { run } from '../../../builder/process/run.ts';
import { makeState } from '../../../builder/state/state.ts';
import { makeVerity, type VerityInfo } from '../../../builder/verity/verity.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { testKeys } from '../test-keys.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const keys = await loadKeys(await testKeys());
const EPOCH = 1_700_000_000;
const STATE_BYTES = 64 * 1024 * 1024;
const systemdBoot = await readFile(toolbox.file('/usr/lib/systemd/boot/efi/systemd-bootx64.efi'));
const loader = await signPe(systemdBoot, keys.uki);
const UKI = await signPe(
  appendSections(systemdBoot, [{ name: '.big', data: Buffer.alloc(3_000_001, 'uki'), kind: 'data' }]),
  keys.uki,
);
let verity: VerityInfo;

/** Everything that a disk is made of, in a directory of its own. */
async function makeAll(name: string, sectorSize: SectorSize): Promise<string> {
  const here = join(directory, name);
  await mkdir(here);
  await writeTar(join(here, 'root.tar'));
  await makeErofs(join(here, 'root.tar'), join(here, 'root.erofs'), {
    toolbox,
    uuid: '00000000-0000-8000-8000-000000000001',
    epoch: EPOCH,
  });
  verity = await makeVerity(join(here, 'root.erofs'), join(here, 'verity'), {
    toolbox,
    salt: 'ab'.repeat(32),
  });
  await makeState(join(here, 'state'), { toolbox, sizeBytes: STATE_BYTES, identity: 'test', epoch: EPOCH });
  await makeDisk(
    {
      architecture: 'amd64',
      identity: `test ${verity.rootHash}`,
      esp: espFiles({
        architecture: 'amd64',
        bootLoader: loader,
        uki: { fileName: ukiFileName('test', '1.0.0'), bytes: UKI },
        enrolment: { mode: 'if-safe', keys: keys.sets.release },
      }),
      root: join(here, 'root.erofs'),
      verity: join(here, 'verity'),
      state: join(here, 'state'),
    },
    join(here, 'disk.raw'),
    { toolbox, sectorSize, epoch: EPOCH },
  );
  return here;
}

async function writeTar(path: string): Promise<void> {
  const tar = pack();
  const mtime = new Date(EPOCH * 1000);
  const add = (name: string, content: Buffer, mode: number, ids: number): void => {
    tar.entry({ name, mode, uid: ids, gid: ids, mtime }, content);
  };
  tar.entry({ name: './', type: 'directory', mode: 0o755, mtime });
  tar.entry({ name: './etc/', type: 'directory', mode: 0o755, mtime });
  add('./etc/small', Buffer.from('small\n'), 0o640, 12);
  add('./etc/large', Buffer.alloc(2_000_000, 'large'), 0o4755, 0);
  tar.entry({ name: './etc/link', type: 'link', linkname: './etc/large', mtime });
  tar.entry({ name: './etc/symlink', type: 'symlink', linkname: 'small', mtime });
  for (let index = 0; index < 300; index++) add(`./etc/file-${index}`, Buffer.from([index & 255]), 0o644, 0);
  tar.finalize();
  await pipeline(tar, createWriteStream(path));
}

/** A partition as a sparse file of its own; what these disks hold ends far below 64 MiB in each. */
async function partition(disk: string, name: string, sectorSize: SectorSize): Promise<string> {
  const found = diskTable('amd64', '', sectorSize, STATE_BYTES).partitions.find((part) => part.name === name);
  if (found === undefined) throw new Error(name);
  const path = `${disk}.${name}`;
  const skip = found.offsetBytes / (4 * 1024 * 1024);
  await run(['dd', `if=${disk}`, `of=${path}`, 'bs=4M', `skip=${skip}`, 'count=16', 'conv=sparse']);
  await truncate(path, found.sizeBytes);
  return path;
}

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

let here: string;
beforeAll(async () => {
  here = await makeAll('first', 512);
}, 60_000);

describe('a disk image', () => {
  test('has partitions that sfdisk, fsck.vfat, fsck.erofs, e2fsck and veritysetup find faultless', async () => {
    const disk = join(here, 'disk.raw');
    await run([...toolbox.command('sfdisk'), '--verify', disk]);
    await run([...toolbox.command('fsck.vfat'), '-n', await partition(disk, 'esp', 512)]);
    await run([...toolbox.command('fsck.erofs'), await partition(disk, 'root-a', 512)]);
    await run([...toolbox.command('e2fsck'), '-f', '-n', await partition(disk, 'slipway-state', 512)]);
    const slot = [await partition(disk, 'root-a', 512), await partition(disk, 'verity-a', 512)];
    await run([...toolbox.command('veritysetup'), 'verify', ...slot, verity.rootHash]);
  });

  test('has the same bytes in another directory, umask, time zone and home', async () => {
    const before = { umask: process.umask(0o077), zone: process.env['TZ'], home: process.env['HOME'] };
    process.env['TZ'] = 'Pacific/Kiritimati';
    process.env['HOME'] = '/nonexistent';
    try {
      const there = await makeAll('a much longer name, with spaces', 512);
      for (const name of ['root.erofs', 'verity', 'state']) {
        const [ours, theirs] = [await readFile(join(here, name)), await readFile(join(there, name))];
        expect(`${name} ${ours.compare(theirs)}`).toBe(`${name} 0`);
      }
      expect(await digests(join(there, 'disk.raw'))).toEqual(await digests(join(here, 'disk.raw')));
    } finally {
      process.umask(before.umask);
      if (before.zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = before.zone;
      process.env['HOME'] = before.home;
    }
  }, 60_000);

  test('is sparse', async () => {
    const { size, blocks } = await stat(join(here, 'disk.raw'));
    expect(size).toBeGreaterThan(3 * 1024 ** 3);
    expect(blocks * 512).toBeLessThan(16 * 1024 ** 2);
  });

  test('with sectors of 4096 bytes has a table and an ESP of them', async () => {
    const there = await makeAll('large-sectors', 4096);
    const disk = join(there, 'disk.raw');
    await run([...toolbox.command('sfdisk'), '--sector-size', '4096', '--verify', disk]);
    const esp = await partition(disk, 'esp', 4096);
    await run([...toolbox.command('fsck.vfat'), '-n', esp]);
    const file = await open(esp);
    const { buffer } = await file.read(Buffer.alloc(512), 0, 512, 0);
    await file.close();
    expect(buffer.readUInt16LE(11)).toBe(4096);
    expect(await inspectArtifact(disk)).toMatchObject({ kind: 'disk', sectorSize: 4096, problems: [] });
  });

  test('has exactly these files on its ESP, with these bytes', async () => {
    const { partitions } = diskTable('amd64', '', 512, STATE_BYTES);
    const esp = partitions.find((part) => part.name === 'esp');
    const found = await withFile(join(here, 'disk.raw'), async (source) => {
      const files = await readFat(partOf(source, esp?.offsetBytes ?? 0, esp?.sizeBytes ?? 0));
      return Promise.all(files.map(async (file) => [file.path, await file.read()] as const));
    });
    expect(found.map(([path]) => path).sort()).toEqual([
      'EFI/BOOT/BOOTX64.EFI',
      'EFI/Linux/test_1.0.0.efi',
      'EFI/systemd/systemd-bootx64.efi',
      'loader/keys/auto/KEK.auth',
      'loader/keys/auto/PK.auth',
      'loader/keys/auto/db.auth',
      'loader/loader.conf',
    ]);
    const contents = new Map(found);
    expect(contents.get('EFI/Linux/test_1.0.0.efi')?.equals(UKI)).toBe(true);
    expect(contents.get('loader/loader.conf')?.toString()).toBe(loaderConf('if-safe'));
    expect(contents.get('loader/keys/auto/db.auth')?.equals(keys.db.auth)).toBe(true);
  });

  test('is not left half-written when a part does not fit', async () => {
    const root = join(directory, 'huge');
    await writeFile(root, '');
    await truncate(root, 1024 ** 3 + 4096);
    const output = join(directory, 'never', 'disk.raw');
    await mkdir(join(directory, 'never'));
    const inputs = {
      architecture: 'amd64',
      identity: 'x',
      esp: [],
      root,
      verity: root,
      state: join(here, 'state'),
    } as const;
    await expect(makeDisk(inputs, output, { toolbox, sectorSize: 512, epoch: EPOCH })).rejects.toMatchObject({
      code: 'disk.too-large',
    });
    const esp = [{ path: 'EFI/big', bytes: Buffer.alloc(513 * 1024 * 1024) }];
    const small = { ...inputs, esp, root: join(here, 'root.erofs'), verity: join(here, 'verity') };
    await expect(makeDisk(small, output, { toolbox, sectorSize: 512, epoch: EPOCH })).rejects.toMatchObject({
      code: 'esp.full',
    });
    expect(await readdir(join(directory, 'never'))).toEqual([]);
  });

  test('is described by inspect', async () => {
    const disk = await inspectArtifact(join(here, 'disk.raw'));
    expect(disk).toMatchObject({
      kind: 'disk',
      layout: '1',
      slots: [
        { name: 'a', state: 'filled', uuid: verity.uuid },
        { name: 'b', state: 'empty' },
      ],
    });
  });
});

describe('loader.conf', () => {
  test('never waits, never edits, and reboots on errors', () => {
    expect(loaderConf('off').split('\n')).toEqual([
      'timeout 0',
      'editor no',
      'auto-entries no',
      'auto-firmware no',
      'reboot-on-error yes',
      'secure-boot-enroll off',
      '',
    ]);
  });
});

describe('the root file system', () => {
  test('keeps modes, ids and hard links, and has one time for all', async () => {
    const out = join(directory, 'extracted');
    await run([...toolbox.command('fsck.erofs'), `--extract=${out}`, join(here, 'root.erofs')]);
    const small = await lstat(join(out, 'etc/small'));
    const large = await lstat(join(out, 'etc/large'));
    expect(small.mode & 0o7777).toBe(0o640);
    expect(large.mode & 0o7777).toBe(0o4755);
    if (process.getuid?.() === 0) expect([small.uid, small.gid]).toEqual([12, 12]);
    expect((await lstat(join(out, 'etc/link'))).ino).toBe(large.ino);
    expect(large.mtimeMs).toBe(EPOCH * 1000);
    expect(await readFile(join(out, 'etc/small'), 'utf8')).toBe('small\n');
    expect((await lstat(join(out, 'etc/symlink'))).isSymbolicLink()).toBe(true);
    await chmod(out, 0o755);
  });

  test('is read by our own reader as it was written', async () => {
    await withFile(join(here, 'root.erofs'), async (source) => {
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

describe('the verity tree', () => {
  test('carries the first half of the root hash as its UUID', async () => {
    const { stdout } = await run([...toolbox.command('veritysetup'), 'dump', join(here, 'verity')]);
    expect(stdout.toString()).toContain(verity.uuid);
    expect(verity.uuid.replaceAll('-', '')).toBe(verity.rootHash.slice(0, 32));
    expect(await inspectArtifact(join(here, 'verity'))).toMatchObject({
      kind: 'verity',
      uuid: verity.uuid,
      salt: verity.salt,
      dataBlocks: verity.dataBlocks,
      algorithm: 'sha256',
    });
    expect((await stat(join(here, 'verity'))).size).toBe((verity.hashBlocks + 1) * 4096);
  });

  test.each(['root.erofs', 'verity'])('finds one flipped bit in %s', async (name) => {
    const bytes = await readFile(join(here, name));
    const offset = name === 'verity' ? 4096 + 100 : Math.floor(bytes.length / 2);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    const flipped = join(directory, `flipped-${name}`);
    await writeFile(flipped, bytes);
    const pair = ['root.erofs', 'verity'].map((part) => (part === name ? flipped : join(here, part)));
    await expect(
      run([...toolbox.command('veritysetup'), 'verify', ...pair, verity.rootHash]),
    ).rejects.toMatchObject({ code: 'process.failed' });
  });

  test('refuses what is not whole blocks', async () => {
    const odd = join(directory, 'odd');
    await writeFile(odd, Buffer.alloc(5000));
    await expect(
      makeVerity(odd, join(directory, 'odd.verity'), { toolbox, salt: 'ab'.repeat(32) }),
    ).rejects.toMatchObject({ code: 'verity.size' });
  });
});

describe('the state file system', () => {
  test('grows to a large disk without being checked or made anew', async () => {
    const state = join(directory, 'grown');
    await writeFile(state, await readFile(join(here, 'state')));
    await truncate(state, 20 * 1024 ** 3);
    await run([...toolbox.command('resize2fs'), state]);
    await run([...toolbox.command('e2fsck'), '-f', '-n', state]);
    const { stdout } = await run([...toolbox.command('dumpe2fs'), '-h', state]);
    expect(stdout.toString()).toMatch(/Block count: +5242880\n/);
    expect(stdout.toString()).toMatch(/volume name: +slipway-state\n/);
  }, 60_000);
});

describe('copying into a disk', () => {
  test('keeps every byte and every hole', async () => {
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
});
