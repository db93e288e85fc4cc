/** Each thing that `slipway export` makes, started: live media, machines over the network, disks in the formats of others. */
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../../builder/process/run.ts';
import type { DiskFormat } from '../../lab/qemu.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { filledIn, readBlocks, theBlock } from '../docs/blocks.ts';
import { withServer } from './docs-server.ts';
import { buildTestImage, WORK } from './image.ts';
import { interruptInstaller } from './interrupt-installer.ts';
import { ipxe } from './ipxe.ts';
import { blankDisk, bootsLive, exported } from './live.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, withMachine } from './machine.ts';
import { bootCard, freePort, httpBootOption, WORKSTATION } from './netboot.ts';

/** `npm test` boots the CD as it installs from it (install.test.ts). */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
const MIB = 1024 ** 2;
/** The workstation, in the network of the lab's own card: iPXE brings its driver. */
const FROM_EVERY_MACHINE = '10.0.2.2';
const DIRECTORY = join(WORK, 'export');
const page = await readBlocks('docs/install.md');

beforeAll(() => mkdir(DIRECTORY, { recursive: true }));
afterAll(() => rm(DIRECTORY, { recursive: true, force: true }));

describe.runIf(FULL)('a live machine', { timeout: LIMIT_MS }, () => {
  test('boots from a CD under Secure Boot, its root verified, with state in memory', async () => {
    const [iso] = await exported('iso');
    await bootsLive({
      name: 'export-cd',
      disk: await blankDisk(64 * MIB),
      medium: '/dev/sr0',
      extraArguments: [
        ...['-drive', `if=none,id=cd0,format=raw,readonly=on,media=cdrom,file=${iso}`],
        // The q35's own controller; the empty disk comes first.
        ...['-device', 'ide-cd,drive=cd0,bus=ide.1,bootindex=5'],
      ],
    });
  });

  test('boots from the same file on a disk', async () => {
    const [disk] = await exported('iso');
    await bootsLive({ name: 'export-disk', disk, diskBus: 'ahci', medium: '/dev/sda' });
  });

  test('boots from a USB stick, where the kernel has drivers for USB', async () => {
    const [disk] = await exported('iso', 'images/metal.yaml');
    await bootsLive({ name: 'export-usb', disk, diskBus: 'usb', medium: '/dev/sda', memoryMiB: 1024 });
  });

  test('boots over TFTP into memory', async () => {
    const [uki] = await exported('netboot');
    await bootsLive({
      name: 'export-tftp',
      disk: await blankDisk(64 * MIB),
      memoryMiB: 768,
      medium: '/dev/none',
      extraArguments: bootCard(`,tftp=${dirname(uki)},bootfile=${basename(uki)}`),
    });
  });

  test('boots with iPXE: kernel and initrd apart, by the script', async () => {
    const [, , , script] = await exported('netboot');
    const stick = join(DIRECTORY, 'ipxe');
    await mkdir(join(stick, 'EFI/BOOT'), { recursive: true });
    await copyFile(await ipxe(), join(stick, 'EFI/BOOT/BOOTX64.EFI'));
    await chmod(join(stick, 'EFI/BOOT/BOOTX64.EFI'), 0o644);
    const port = await freePort();
    const commands = filledIn(theBlock(page, 'Over the network', 'ipxe'), {
      'SERVER:8080': `${FROM_EVERY_MACHINE}:${port}`,
    });
    // Beside the program, or at the top: that has changed over the years.
    for (const folder of ['EFI/BOOT', '.'])
      await writeFile(join(stick, folder, 'autoexec.ipxe'), `#!ipxe\n${commands}`);
    await withServer(page, dirname(script ?? ''), port, async () =>
      bootsLive({
        name: 'export-ipxe',
        disk: await blankDisk(64 * MIB),
        memoryMiB: 768,
        medium: '/dev/none',
        trust: 'none',
        extraArguments: [
          ...['-drive', `if=none,id=stick,format=raw,readonly=on,file=fat:${stick}`],
          ...['-device', 'virtio-blk-pci,drive=stick,bootindex=4'],
        ],
      }),
    );
  });
});

describe.runIf(FULL)('a machine that started over HTTP', { timeout: 3 * LIMIT_MS }, () => {
  test('installs itself, as often interrupted as there are steps; the disk then starts, and grows', async () => {
    const [uki] = await exported('netboot');
    const disk = await blankDisk(8 * 1024 * MIB);
    const overlay = join(DIRECTORY, 'netboot-installed.qcow2');
    const port = await freePort();
    await withServer(page, dirname(uki), port, () =>
      bootsLive(
        {
          name: 'export-http',
          disk,
          overlay,
          diskBus: 'ahci',
          memoryMiB: 768,
          medium: '/dev/none',
          variables: httpBootOption(`http://${WORKSTATION}:${port}/${basename(uki)}`),
          extraArguments: bootCard(),
        },
        async (machine, access) => {
          await interruptInstaller(access, '/dev/sda');
          expect(await ssh(access, 'slip install --dry-run serial:disk0')).toMatch(
            /sda .*serial disk0[^]*empty/,
          );
          const [commands, off] = theBlock(page, 'Installing from the live medium', 'sh').split(
            'slip poweroff',
          );
          expect(off).toBeDefined();
          expect(await ssh(access, `set -e\n${commands ?? ''}`)).toMatch(/minimal \S+ is on \/dev\/sda/);
          const refused = await ssh(access, 'slip install /dev/sda 2>&1; echo " ended with $?"');
          expect(refused).toMatch(/sda.*holds data[^]*ended with 1/);
          await ssh(access, 'slip poweroff').catch(() => undefined);
          await machine.exited;
        },
      ),
    );
    // The disk has grown since: state goes with it, on the first start as on any.
    await run([...(await labToolbox()).command('qemu-img'), 'resize', '-q', overlay, '10G']);
    await withMachine({ name: 'export-http-disk', disk, overlay, diskBus: 'ahci' }, async (machine) => {
      const { status, access } = await healthyMachine(machine, 'admin');
      expect(status).toMatchObject({ boot: 'healthy', problems: [], slot: 'a' });
      expect(await ssh(access, 'slip state show')).toMatch(/\/dev\/sda7, [67]\.\d GB/);
    });
  });
});

describe.runIf(FULL)('a disk as others have it', { timeout: LIMIT_MS }, () => {
  const unpack = (...argv: readonly string[]): Promise<unknown> => run([...argv, '-C', DIRECTORY]);

  test('raw.zst is the raw one', async () => {
    const { disk } = await buildTestImage('images/minimal.yaml');
    const [packed] = await exported('raw.zst');
    const unpacked = join(DIRECTORY, 'unpacked.raw');
    await run(['zstd', '-dqf', '--sparse', packed, '-o', unpacked]);
    await run([
      ...(await labToolbox()).command('qemu-img'),
      'compare',
      '-f',
      'raw',
      '-F',
      'raw',
      disk,
      unpacked,
    ]);
    await rm(unpacked);
  });

  test.each([
    ['qcow2', 'qcow2'],
    ['vmdk', 'vmdk'],
    ['vhd', 'vpc'],
  ] as const)('%s boots', async (format, diskFormat) => {
    const [disk] = await exported(format);
    await boots(format, disk, diskFormat);
  });

  test('the disk in an OVA boots', async () => {
    const [ova] = await exported('ova');
    await unpack('tar', '-xf', ova);
    await boots('ova', join(DIRECTORY, 'minimal_1.0.0.vmdk'), 'vmdk');
  });

  test('the disk in what is for GCE boots', async () => {
    const [archive] = await exported('gce');
    await unpack('tar', '-xSzf', archive);
    await boots('gce', join(DIRECTORY, 'disk.raw'), 'raw');
  });
});

async function boots(name: string, disk: string, diskFormat: DiskFormat): Promise<void> {
  const { machineDiskBytes } = await buildTestImage('images/minimal.yaml');
  const options = { name: `export-${name}`, disk, diskFormat, diskSizeBytes: machineDiskBytes };
  await withMachine(options, async (machine) => {
    const { status } = await healthyMachine(machine, 'admin');
    expect(status).toMatchObject({ boot: 'healthy', problems: [], slot: 'a' });
  });
}
