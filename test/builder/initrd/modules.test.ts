import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSource } from '../../../builder/initrd/cpio.ts';
import { hardwareFunction } from '../../../builder/initrd/hardware.ts';
import {
  closure,
  moduleEntries,
  selectModules,
  type KernelFiles,
  type ModuleSet,
} from '../../../builder/initrd/modules.ts';

const DIRECTORY = '/usr/lib/modules/6.12.0-test';
const SIGNATURE = 'signature~Module signature appended~\n';

/** A 64-bit ELF file with nothing but a `.modinfo` section, and a signature behind it. */
function module(info: readonly string[]): Buffer {
  const text = Buffer.from(info.map((line) => `${line}\0`).join(''));
  const names = Buffer.from('\0.modinfo\0.shstrtab\0');
  const header = Buffer.alloc(64);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  const table = 64 + text.length + names.length;
  header.writeBigUInt64LE(BigInt(table), 40);
  header.writeUInt16LE(64, 58);
  header.writeUInt16LE(3, 60);
  header.writeUInt16LE(2, 62);
  const section = (name: number, offset: number, size: number): Buffer => {
    const bytes = Buffer.alloc(64);
    bytes.writeUInt32LE(name, 0);
    bytes.writeBigUInt64LE(BigInt(offset), 24);
    bytes.writeBigUInt64LE(BigInt(size), 32);
    return bytes;
  };
  return Buffer.concat([
    ...[header, text, names, section(0, 0, 0), section(1, 64, text.length)],
    ...[section(10, 64 + text.length, names.length), Buffer.from(SIGNATURE)],
  ]);
}

const kernel: KernelFiles = {
  entries: [
    entry('kernel/drivers/md/dm-mod.ko.xz', ['name=dm_mod', 'depends=']),
    entry('kernel/drivers/md/dm-bufio.ko.xz', ['depends=dm-mod']),
    entry('kernel/drivers/md/dm-verity.ko.xz', [
      'depends=dm-bufio,dm-mod',
      'softdep=pre: sha256 post: other',
    ]),
    entry('kernel/crypto/sha256.ko', ['depends=', 'alias=crypto-sha256']),
    entry('kernel/drivers/block/virtio_blk.ko.xz', ['depends=', 'alias=virtio:d00000002v*']),
    entry('kernel/drivers/scsi/scsi_mod.ko', ['depends=']),
    entry('kernel/drivers/scsi/sd_mod.ko', ['depends=scsi_mod']),
    entry('kernel/drivers/ata/ahci.ko', ['depends=scsi_mod', 'alias=pci:v00008086d00002922sv*sd*bc*sc*i*']),
    entry('kernel/drivers/watchdog/i6300esb.ko', ['depends=', 'alias=pci:v00008086d000025ABsv*sd*bc*sc*i*']),
    {
      path: `${DIRECTORY}/modules.builtin`,
      source: {
        kind: 'bytes',
        bytes: Buffer.from('kernel/fs/ext4/ext4.ko\nkernel/drivers/nvme/host/nvme-core.ko\n'),
      },
    },
  ],
  command: (program) => [program],
};

function entry(path: string, info: readonly string[]): KernelFiles['entries'][number] {
  const bytes = module(info);
  const content = path.endsWith('.xz')
    ? execFileSync('xz', ['--compress', '--check=crc32'], { input: bytes })
    : bytes;
  return { path: `${DIRECTORY}/${path}`, source: { kind: 'bytes', bytes: content } };
}

const required = (...names: readonly string[]): { name: string; optional: boolean }[] =>
  names.map((name) => ({ name, optional: false }));

describe('kernel modules', () => {
  let cache: string;
  let set: ModuleSet;

  beforeAll(async () => {
    cache = await mkdtemp(join(tmpdir(), 'modules-'));
    process.env['SLIPWAY_CACHE'] = cache;
    set = await selectModules(
      kernel,
      required('dm-verity', 'virtio_blk', 'ext4', 'ahci', 'sd_mod', 'i6300esb'),
    );
  });

  afterAll(async () => {
    delete process.env['SLIPWAY_CACHE'];
    await rm(cache, { recursive: true, force: true });
  });

  test('come with what they need, which is loaded before them', () => {
    expect(set.modules.map(({ name }) => name)).toEqual([
      ...[
        'sha256',
        'dm_mod',
        'dm_bufio',
        'dm_verity',
        'virtio_blk',
        'scsi_mod',
        'ahci',
        'sd_mod',
        'i6300esb',
      ],
    ]);
    expect(closure(set, ['dm-bufio']).map(({ name }) => name)).toEqual(['dm_mod', 'dm_bufio']);
  });

  test('are unpacked, and keep their signature', () => {
    const found = set.modules.find(({ name }) => name === 'dm_verity');
    expect(found?.path).toBe(`${DIRECTORY}/kernel/drivers/md/dm-verity.ko`);
    expect(found && Buffer.from(readSource(found.source)).toString('latin1')).toMatch(
      /Module signature appended~\n$/,
    );
  });

  test('that the kernel has built in are not looked for', () => {
    expect(set.builtin.has('ext4')).toBe(true);
    expect(set.modules.some(({ name }) => name === 'ext4')).toBe(false);
  });

  test('that it does not have are named, unless they may be missing', async () => {
    await expect(selectModules(kernel, required('floppy'))).rejects.toThrow(/no module floppy/);
    const found = await selectModules(kernel, [{ name: 'floppy', optional: true }]);
    expect(found.modules).toEqual([]);
  });

  test('have the indexes that modprobe reads', () => {
    const text = (name: string): string => {
      const found = moduleEntries(set, set.modules, 'modules').find(
        ({ path }) => path === `${DIRECTORY}/${name}`,
      );
      return found?.type === 'file' ? Buffer.from(readSource(found.source)).toString() : '';
    };
    expect(text('modules.dep')).toContain(
      'kernel/drivers/md/dm-verity.ko: kernel/drivers/md/dm-bufio.ko kernel/drivers/md/dm-mod.ko kernel/crypto/sha256.ko\n',
    );
    expect(text('modules.alias')).toContain('alias virtio:d00000002v* virtio_blk\n');
    expect(text('modules.builtin')).toContain('kernel/fs/ext4/ext4.ko\n');
  });

  test('are found by the names of devices, in a shell', () => {
    const found = (device: string): string =>
      execFileSync(
        'busybox',
        [
          'sh',
          '-c',
          `${hardwareFunction('find', ['virtio_blk', 'ahci', 'i6300esb', 'floppy'], set)}find "$0"; echo "$found"`,
          device,
        ],
        {
          encoding: 'utf8',
        },
      ).trim();
    expect(found('virtio:d00000002v00001AF4')).toBe('kernel/drivers/block/virtio_blk.ko');
    expect(found('pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00')).toBe(
      'kernel/drivers/watchdog/i6300esb.ko,heartbeat=60',
    );
    // A controller of SCSI disks brings their driver, which no device asks for.
    expect(found('pci:v00008086d00002922sv00001AF4sd00001100bc01sc06i01')).toBe(
      'kernel/drivers/scsi/scsi_mod.ko kernel/drivers/ata/ahci.ko kernel/drivers/scsi/sd_mod.ko',
    );
    expect(found('pci:v0000FFFFd0000FFFFsv0sd0bc00sc00i00')).toBe('');
  });
});
