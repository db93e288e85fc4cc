import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportImage } from '../../../builder/export/export.ts';
import { FORMAT_NAMES, type FormatName } from '../../../builder/export/formats.ts';
import { inspectArtifact } from '../../../builder/inspect/inspect.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { readLock } from '../../../builder/lock/lock-file.ts';
import { openImage } from '../../../builder/oci/image.ts';
import { run } from '../../../builder/process/run.ts';
import { openToolbox } from '../../../builder/tools/toolbox.ts';
import { labToolbox } from '../../../lab/toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { EPOCH, makeTestDisk } from '../test-disk.ts';
import { testKeys } from '../test-keys.ts';

const GIB = 1024 ** 3;
const directory = scratchDirectory();
const lab = await labToolbox();
const build = await makeTestBuild(join(directory, 'build'));
const first = join(directory, 'first');
const files = await exportTo(first, ['raw', 'raw.zst', 'qcow2', 'vmdk', 'ova', 'vhd', 'gce', 'oci']);
const raw = build.disk;

describe('an export', () => {
  test('has the same bytes a second time, elsewhere', async () => {
    const again = join(directory, 'a second place, with spaces');
    const second = await exportTo(
      again,
      files.map(({ format }) => format),
    );
    for (const [index, { path }] of files.entries())
      expect(`${path} ${await digest(second[index]?.path ?? '')}`).toBe(`${path} ${await digest(path)}`);
  });

  test('leaves nothing but its file', async () => {
    expect((await readdir(first)).sort()).toEqual(
      files.map(({ path }) => path.slice(first.length + 1)).sort(),
    );
  });

  test('raw: is the disk, sparse', async () => {
    await qemuImg('compare', '-f', 'raw', '-F', 'raw', raw, pathOf('raw'));
    expect((await stat(pathOf('raw'))).blocks * 512).toBeLessThan(32 * 1024 ** 2);
  });

  test('raw.zst: zstd unpacks it to the disk', async () => {
    await run(['zstd', '-dqf', '--sparse', pathOf('raw.zst'), '-o', join(directory, 'unpacked.raw')]);
    await qemuImg('compare', '-f', 'raw', '-F', 'raw', raw, join(directory, 'unpacked.raw'));
    await rm(join(directory, 'unpacked.raw'));
  });

  test('qcow2: qemu-img finds no fault in it, and the disk', async () => {
    await qemuImg('check', '-f', 'qcow2', pathOf('qcow2'));
    await qemuImg('compare', '-f', 'raw', '-F', 'qcow2', raw, pathOf('qcow2'));
    const info = JSON.parse(await qemuImg('info', '--output=json', pathOf('qcow2'))) as object;
    expect(info).toMatchObject({ format: 'qcow2', 'format-specific': { data: { compat: '1.1' } } });
  });

  test('vmdk: qemu-img finds no fault in it, and the disk', async () => {
    await qemuImg('check', '-f', 'vmdk', pathOf('vmdk'));
    await qemuImg('compare', '-f', 'raw', '-F', 'vmdk', raw, pathOf('vmdk'));
    const info = JSON.parse(await qemuImg('info', '--output=json', pathOf('vmdk'))) as object;
    expect(info).toMatchObject({ 'format-specific': { data: { 'create-type': 'streamOptimized' } } });
  });

  test('ova: the description comes first, the digests are those of the members, the disk is in it', async () => {
    const { stdout } = await run(['tar', '-tf', pathOf('ova')]);
    expect(stdout.toString().trim().split('\n')).toEqual([
      'test_1.0.0.ovf',
      'test_1.0.0.mf',
      'test_1.0.0.vmdk',
    ]);
    const unpacked = join(directory, 'ova');
    await mkdir(unpacked);
    await run(['tar', '-xf', pathOf('ova'), '-C', unpacked]);
    const sums = (await readFile(join(unpacked, 'test_1.0.0.mf'), 'utf8')).replace(
      /^SHA256\((.+)\)= (.+)$/gm,
      '$2  $1',
    );
    await run(['sha256sum', '--check', '--strict'], { cwd: unpacked, input: sums });
    await qemuImg('compare', '-f', 'raw', '-F', 'vmdk', raw, join(unpacked, 'test_1.0.0.vmdk'));
    const { size } = await stat(raw);
    // Well-formed, and the disk's size is the machine's.
    const python =
      'import sys, xml.etree.ElementTree as t; print(*(e.get("{http://schemas.dmtf.org/ovf/envelope/1}capacity") for e in t.parse(sys.argv[1]).iter() if e.tag.endswith("}Disk")))';
    const parsed = await run(['python3', '-c', python, join(unpacked, 'test_1.0.0.ovf')]);
    expect(parsed.stdout.toString().trim()).toBe(String(size));
  });

  test('vhd: fixed, of whole MiB and a footer, and the disk', async () => {
    const { size } = await stat(pathOf('vhd'));
    expect((size - 512) % 1024 ** 2).toBe(0);
    await qemuImg('compare', '-f', 'raw', '-F', 'vpc', raw, pathOf('vhd'));
    const info = JSON.parse(await qemuImg('info', '-f', 'vpc', '--output=json', pathOf('vhd'))) as object;
    expect(info).toMatchObject({ format: 'vpc', 'virtual-size': size - 512 });
  });

  test('gce: GNU tar finds disk.raw of whole GiB, with a table that sfdisk finds faultless', async () => {
    const unpacked = join(directory, 'gce');
    await mkdir(unpacked);
    await run(['tar', '-xSzf', pathOf('gce'), '-C', unpacked]);
    expect(await readdir(unpacked)).toEqual(['disk.raw']);
    const disk = join(unpacked, 'disk.raw');
    const { size, mtimeMs } = await stat(disk);
    expect([size % GIB, mtimeMs]).toEqual([0, EPOCH * 1000]);
    expect(size).toBeGreaterThan((await stat(raw)).size);
    const { stdout } = await run([...build.toolbox.command('sfdisk'), '--verify', disk]);
    expect(stdout.toString()).toContain('No errors detected');
    expect(await inspectArtifact(disk, { check: 'contents' })).toMatchObject({
      problems: [],
      slots: [{ name: 'a', intact: true }, { name: 'b' }],
    });
    // What lies between the tables is as it was.
    const middle = ['--ignore-initial=1048576', `--bytes=${(await stat(raw)).size - 2 * 1048576}`];
    await run(['cmp', ...middle, raw, disk]);
  });

  test('oci: skopeo, umoci and our own reader take it, and every file is in it', async () => {
    const layout = join(directory, 'layout');
    await run([
      'skopeo',
      'copy',
      '-q',
      '--insecure-policy',
      `oci-archive:${pathOf('oci')}`,
      `oci:${layout}:1.0.0`,
    ]);
    const unpacked = join(directory, 'oci');
    await run(['umoci', 'unpack', '--rootless', '--image', `${layout}:1.0.0`, unpacked]);
    expect(await readFile(join(unpacked, 'rootfs/etc/small'), 'utf8')).toBe('small\n');
    expect((await stat(join(unpacked, 'rootfs/etc/large'))).nlink).toBe(2);
    const image = await openImage(pathOf('oci'), {
      architecture: 'amd64',
      inputs: [],
      component: 'test',
      zstd: () => Promise.resolve(['zstd']),
    });
    const small = image.entries.find(({ path }) => path === '/etc/small');
    expect(small).toMatchObject({ mode: 0o640, uid: 12, gid: 12 });
    expect(image.entries.filter(({ path }) => path.startsWith('/etc/file-'))).toHaveLength(300);
  });
});

describe('what cannot be exported', () => {
  test('is told with a hint', async () => {
    const attempt = (path: string, format: FormatName): Promise<unknown> =>
      exportImage(path, [format], options(directory));
    await expect(attempt(join(directory, 'nothing'), 'raw')).rejects.toMatchObject({
      code: 'export.no-source',
    });
    await expect(attempt(first, 'raw')).rejects.toMatchObject({ code: 'export.not-a-build' });
    await expect(attempt(pathOf('raw'), 'oci')).rejects.toMatchObject({ code: 'export.needs-build' });
    const empty = join(directory, 'empty.raw');
    await writeFile(empty, '');
    await truncate(empty, 1024 ** 2);
    await expect(attempt(empty, 'qcow2')).rejects.toMatchObject({ code: 'gpt.invalid' });
    const large = await makeTestDisk(join(directory, 'large'), 4096);
    await expect(attempt(large.disk, 'vhd')).rejects.toMatchObject({ code: 'export.sector-size' });
    expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

/** A folder as `slipway build` leaves it, of the small disk that other tests use. */
async function makeTestBuild(
  path: string,
): Promise<{ disk: string; toolbox: Awaited<ReturnType<typeof openToolbox>> }> {
  const made = await makeTestDisk(path);
  const lock = await readLock('images/minimal.lock');
  if (lock === undefined) throw new Error('images/minimal.lock is missing');
  const at = (name: string): string => join(path, `test_1.0.0${name}`);
  for (const [from, to] of [
    ['disk.raw', '.raw'],
    ['root.erofs', '.root.erofs'],
    ['verity', '.verity'],
  ] as const)
    await run(['mv', join(path, from), at(to)]);
  await writeFile(at('.efi'), made.uki);
  const manifest = {
    format: '1.0',
    requires: [],
    name: 'test',
    version: '1.0.0',
    architecture: 'amd64',
    epoch: EPOCH,
    minMemoryMiB: 192,
    debug: false,
    rootHash: made.verity.rootHash,
    disk: { name: 'test_1.0.0.raw' },
    tools: lock.tools,
  };
  await writeFile(join(path, 'manifest.json'), JSON.stringify(manifest));
  return { disk: at('.raw'), toolbox: await openToolbox(lock.tools) };
}

function options(output: string): Parameters<typeof exportImage>[2] {
  return {
    output,
    keys: async () => loadKeys(await testKeys()),
    progress: { step: (_name, work) => work(), bytes: () => undefined, note: () => undefined },
  };
}

function exportTo(output: string, formats: readonly FormatName[]): ReturnType<typeof exportImage> {
  return exportImage(join(directory, 'build'), formats, options(output));
}

function pathOf(format: FormatName): string {
  const found = files.find((file) => file.format === format);
  if (found === undefined) throw new Error(`${format} was not exported; there are ${FORMAT_NAMES.join()}`);
  return found.path;
}

async function qemuImg(...args: readonly string[]): Promise<string> {
  return (await run([...lab.command('qemu-img'), ...args])).stdout.toString('utf8');
}

/** Of a sparse file, too: its holes are hashed as zeros by the kernel's own pages. */
async function digest(path: string): Promise<string> {
  const { size } = await stat(path);
  if (size < 512 * 1024 ** 2) {
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path)) hash.update(chunk as Uint8Array);
    return hash.digest('hex');
  }
  // 3 GB of holes: the regions that hold something, and the end.
  const { stdout } = await run([...build.toolbox.command('filefrag'), '-e', '-s', '-b512', path]);
  const hash = createHash('sha256').update(String(size));
  const file = await open(path);
  const extents = [...stdout.toString().matchAll(/^\s*\d+:\s*(\d+)\.\.\s*(\d+):/gm)];
  for (const [, from, to] of extents) {
    const buffer = Buffer.alloc((Number(to) + 1 - Number(from)) * 512);
    await file.read(buffer, 0, buffer.length, Number(from) * 512);
    if (buffer.some((byte) => byte !== 0)) hash.update(buffer);
  }
  await file.close();
  return hash.digest('hex');
}
