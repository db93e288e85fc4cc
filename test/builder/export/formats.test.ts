import { createHash, X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { signPe } from '../../../builder/authenticode/sign.ts';
import { exportImage } from '../../../builder/export/export.ts';
import { FORMAT_NAMES, type FormatName } from '../../../builder/export/formats.ts';
import { inspectArtifact } from '../../../builder/inspect/inspect.ts';
import { openSparseDisk } from '../../../builder/export/sparse-disk.ts';
import { loadKeys } from '../../../builder/keys/load.ts';
import { readCpio } from '../../../builder/initrd/cpio-read.ts';
import { readSource, writeCpio } from '../../../builder/initrd/cpio.ts';
import { readLock } from '../../../builder/lock/lock-file.ts';
import { openImage } from '../../../builder/oci/image.ts';
import { parsePe, sectionData } from '../../../builder/pe/parse.ts';
import { run } from '../../../builder/process/run.ts';
import { textFile } from '../../../builder/tree/skeleton.ts';
import { osRelease } from '../../../builder/uki/os-release.ts';
import { makeUki } from '../../../builder/uki/uki.ts';
import { labToolbox } from '../../../lab/toolbox.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';
import { EPOCH, makeTestDisk, type TestDisk } from '../test-disk.ts';
import { testKeys } from '../test-keys.ts';

const GIB = 1024 ** 3;
const directory = scratchDirectory();
const lab = await labToolbox();
const toolbox = await lockedToolbox();
const keys = await loadKeys(await testKeys());
const build = await makeTestBuild(join(directory, 'build'));
const first = join(directory, 'first');
const files = await exportTo(first, [
  'raw',
  'raw.zst',
  'qcow2',
  'vmdk',
  'ova',
  'vhd',
  'gce',
  'iso',
  'netboot',
  'oci',
]);
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
    const { stdout } = await run([...toolbox.command('sfdisk'), '--verify', disk]);
    expect(stdout.toString()).toContain('No errors detected');
    expect(await inspectArtifact(disk, { check: 'contents' })).toMatchObject({
      problems: [],
      slots: [{ name: 'a', intact: true }, { name: 'b' }],
    });
    // What lies between the tables is as it was.
    expect(await digest(disk, 'between the tables')).toBe(await digest(raw, 'between the tables'));
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

describe('a live medium', () => {
  test('is an ISO that xorriso reads, with an El Torito entry for UEFI and a table that sfdisk finds faultless', async () => {
    const iso = pathOf('iso');
    const asked = ['-report_el_torito', 'plain', '-find', '/', '-type', 'f', '-exec', 'report_lba', '--'];
    const { stdout } = await run(['xorriso', '-abort_on', 'WARNING', '-indev', iso, ...asked]);
    expect(stdout.toString()).toMatch(/El Torito boot img :\s+1\s+UEFI\s+y\s+none/);
    for (const name of ['BOOT.IMG', 'ESP.TAR', 'ROOT.IMG', 'VERITY.IMG'])
      expect(stdout.toString()).toContain(`'/SLIPWAY/${name}'`);
    const verified = await run([...toolbox.command('sfdisk'), '--verify', iso]);
    expect(verified.stdout.toString()).toContain('No errors detected');
  });

  test('holds root, tree and the ESP’s files as the build has them', async () => {
    const unpacked = join(directory, 'iso');
    await run(['xorriso', '-osirrox', 'on', '-indev', pathOf('iso'), '-extract', '/SLIPWAY', unpacked]);
    await run(['cmp', join(directory, 'build/test_1.0.0.root.erofs'), join(unpacked, 'ROOT.IMG')]);
    await run(['cmp', join(directory, 'build/test_1.0.0.verity'), join(unpacked, 'VERITY.IMG')]);
    const { stdout } = await run(['tar', '-tf', join(unpacked, 'ESP.TAR')]);
    expect(stdout.toString()).toMatch(/^EFI\/Linux\/test_1\.0\.0\.efi$/m);
    await run([...toolbox.command('fsck.vfat'), '-n', join(unpacked, 'BOOT.IMG')]);
    const name = join(directory, 'live.efi');
    await run([
      ...toolbox.command('mcopy'),
      ...['-i', join(unpacked, 'BOOT.IMG'), '::EFI/BOOT/BOOTX64.EFI', name],
    ]);
    const conf = await bootConf(name);
    expect(conf.get('LIVE')).toBe('medium');
    // Where boot.conf says, the root begins: EROFS's magic number is 1024 bytes behind.
    const file = await open(pathOf('iso'));
    const offset = Number(conf.get('LIVE_ROOT')?.split(' ')[0]) * 512 + 1024;
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, offset);
    await file.close();
    expect(buffer.readUInt32LE()).toBe(0xe0f5e1e2);
  });

  test('over the network: what is signed is signed by our keys, and says that it is live', async () => {
    const [uki = '', kernel = '', initrd = '', script = ''] = files
      .filter(({ format }) => format === 'netboot')
      .map(({ path }) => path);
    const pem = join(directory, 'db.pem');
    await writeFile(pem, new X509Certificate(keys.sets.release.db.certificate).toString());
    for (const path of [uki, kernel]) await run(['sbverify', '--cert', pem, path]);
    expect((await bootConf(uki)).get('LIVE')).toBe('memory');
    const entries = readCpio(await readFile(initrd), 'initrd');
    const paths = entries.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(['/live/root.erofs', '/live/verity', '/live/esp.tar']));
    expect(paths).toContain('/usr/lib/modules/6.12.1/kernel/lib/second.ko');
    // What a module needs is loaded before it, the farthest first.
    const modules = 'kernel/lib/second.ko kernel/lib/first.ko kernel/drivers/block/loop.ko';
    expect((await bootConf(uki)).get('LIVE_MODULES')).toBe(modules);
    expect(await readFile(script, 'utf8')).toMatch(
      /^#!ipxe\n(.*\n)*kernel test_1\.0\.0\.netboot\.vmlinuz quiet .*\n/,
    );
  });
});

/** The last assignment of each, from a UKI's initrd. */
async function bootConf(uki: string): Promise<ReadonlyMap<string, string>> {
  const initrd = sectionData(parsePe(await readFile(uki)), '.initrd');
  const entry = readCpio(initrd ?? new Uint8Array(), 'initrd').find(
    ({ path }) => path === '/etc/slipway/boot.conf',
  );
  if (entry?.type !== 'file') throw new Error('no boot.conf');
  const text = Buffer.from(readSource(entry.source)).toString('utf8');
  return new Map([...text.matchAll(/^(\w+)='(.*)'$/gm)].map(([, key = '', value = '']) => [key, value]));
}

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
async function makeTestBuild(path: string): Promise<{ disk: string }> {
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
  await writeFile(at('.efi'), await ukiWithInitrd(made));
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
  return { disk: at('.raw') };
}

/** The test disk's own has no initrd that could be read. */
async function ukiWithInitrd({ verity }: TestDisk): Promise<Uint8Array> {
  const efi = (name: string): Promise<Buffer> => readFile(toolbox.file(`/usr/lib/systemd/boot/efi/${name}`));
  const conf = `ROOT_HASH='${verity.rootHash}'\nLIVE=''\n`;
  return signPe(
    makeUki({
      stub: await efi('linuxx64.efi.stub'),
      kernel: await signPe(await efi('systemd-bootx64.efi'), keys.uki),
      initrd: writeCpio([
        textFile('/init', '#!/bin/sh\n', 'initrd'),
        textFile('/etc/slipway/boot.conf', conf, 'initrd'),
      ]),
      commandLine: `quiet roothash=${verity.rootHash}`,
      osRelease: osRelease({ name: 'test', version: '1.0.0', architecture: 'amd64' }),
      uname: '6.12.1',
    }),
    keys.uki,
  );
}

function options(output: string): Parameters<typeof exportImage>[2] {
  return {
    output,
    keys: () => Promise.resolve(keys),
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

/** Over the pieces that hold something; a disk's first and last ones hold the tables. */
async function digest(path: string, what: 'all' | 'between the tables' = 'all'): Promise<string> {
  const disk = await openSparseDisk(path, toolbox);
  const pieces: string[] = [];
  for await (const { offset, bytes } of disk.chunks())
    pieces.push(`${offset} ${createHash('sha256').update(bytes).digest('hex')}`);
  return (what === 'all' ? [...pieces, String(disk.sizeBytes)] : pieces.slice(1, -1)).join('\n');
}
