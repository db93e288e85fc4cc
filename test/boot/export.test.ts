import { createReadStream } from 'node:fs';
import { stat, truncate, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { exportImage, type ExportedFile } from '../../builder/export/export.ts';
import type { FormatName } from '../../builder/export/formats.ts';
import type { FirmwareVariable } from '../../lab/ovmf-vars.ts';
import type { Machine } from '../../lab/machine.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, withMachine, type TestMachineOptions } from './machine.ts';

/** `npm test` boots the CD as it installs from it (install.test.ts). */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';
const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
/** A card of its own, since the lab's boots nothing; another network, so that both have a route. */
const MAC = '525400abcdef';

describe('a live machine', { timeout: LIMIT_MS }, () => {
  test.runIf(FULL)('boots from a CD under Secure Boot, its root verified, with state in memory', async () => {
    const iso = await exported('iso');
    await boots({
      name: 'export-cd',
      disk: await blankDisk(),
      medium: '/dev/sr0',
      extraArguments: [
        ...['-drive', `if=none,id=cd0,format=raw,readonly=on,media=cdrom,file=${iso}`],
        // The q35's own controller; the empty disk comes first.
        ...['-device', 'ide-cd,drive=cd0,bus=ide.1,bootindex=5'],
      ],
    });
  });

  test.runIf(FULL)('boots from the same file on a disk', async () => {
    await boots({ name: 'export-disk', disk: await exported('iso'), diskBus: 'ahci', medium: '/dev/sda' });
  });

  test.runIf(FULL)('boots from a USB stick, where the kernel has drivers for USB', async () => {
    const disk = await exported('iso', 'images/metal.yaml');
    await boots({ name: 'export-usb', disk, diskBus: 'usb', medium: '/dev/sda', memoryMiB: 1024 });
  });

  test.runIf(FULL)('boots over TFTP into memory', async () => {
    const uki = await exported('netboot');
    const tftp = `,tftp=${dirname(uki)},bootfile=${basename(uki)}`;
    await boots({
      name: 'export-tftp',
      disk: await blankDisk(),
      memoryMiB: 768,
      medium: '/dev/none',
      extraArguments: networkCard(tftp),
    });
  });

  test.runIf(FULL)('boots over HTTP into memory', async () => {
    const uki = await exported('netboot');
    const { server, port, asked } = await serve(uki);
    try {
      await boots({
        name: 'export-http',
        disk: await blankDisk(),
        memoryMiB: 768,
        medium: '/dev/none',
        variables: httpBootOption(`http://10.0.3.2:${port}/boot.efi`),
        extraArguments: networkCard(''),
      });
      expect(asked).toContain('GET /boot.efi');
    } finally {
      server.close();
    }
  });
});

async function boots(options: TestMachineOptions & { readonly medium: string }): Promise<void> {
  const { medium, ...machineOptions } = options;
  await withMachine(machineOptions, async (machine: Machine) => {
    const { status, access } = await healthyMachine(machine, 'admin');
    expect(status).toMatchObject({ boot: 'healthy', slot: 'unknown' });
    expect(status.problems).toEqual([expect.stringContaining('live')]);
    expect(machine.console()).toContain('UEFI Secure Boot is enabled');
    const look = 'cat /run/slipway/boot/disk; dmsetup table root; grep " /var " /proc/mounts';
    const text = await ssh(access, `slip shell -T -- sh -c '${look}'`);
    expect(text.split('\n')[0]).toBe(medium);
    expect(text).toContain(` sha256 ${status.rootHash} `);
    expect(text).toMatch(/^tmpfs \/var tmpfs/m);
  });
}

/** The first file of a format; of the image that most boot tests boot, if no other is named. */
async function exported(format: FormatName, image = 'images/minimal.yaml'): Promise<string> {
  const { disk } = await buildTestImage(image);
  const [file] = (await exportImage(dirname(disk), [format], {
    keys: () => testKeys(),
    progress: { step: (_name, work) => work(), bytes: () => undefined, note: () => undefined },
  })) as readonly [ExportedFile];
  return file.path;
}

/** What a machine looks like before anything is installed. */
async function blankDisk(): Promise<string> {
  const path = join(WORK, 'blank.raw');
  await writeFile(path, '');
  await truncate(path, 64 * 1024 ** 2);
  return path;
}

function networkCard(more: string): readonly string[] {
  const mac = MAC.replaceAll(/(..)(?=.)/g, '$1:');
  return [
    ...['-netdev', `user,id=boot,net=10.0.3.0/24${more}`],
    ...['-device', `virtio-net-pci,netdev=boot,mac=${mac},romfile=,bootindex=5,addr=0x10`],
  ];
}

/** Firmware asks for the length first, then for the file. */
async function serve(path: string): Promise<{ server: Server; port: number; asked: readonly string[] }> {
  const { size } = await stat(path);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    response.writeHead(200, { 'content-type': 'application/efi', 'content-length': size });
    if (request.method === 'HEAD') response.end();
    else createReadStream(path).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as AddressInfo).port, asked };
}

/**
 * Boot0099, first in BootOrder: what somebody enters in the firmware's menu. QEMU's DHCP server cannot say that it speaks of HTTP.
 * UEFI 2.10: load options 3.1.3, device paths 10.3 (ACPI, PCI, MAC, IPv4, URI).
 */
function httpBootOption(url: string): readonly FirmwareVariable[] {
  const node = (type: number, subtype: number, ...data: readonly (string | Buffer)[]): Buffer => {
    const body = Buffer.concat(
      data.map((part) => (typeof part === 'string' ? Buffer.from(part, 'hex') : part)),
    );
    const head = Buffer.from([type, subtype, 0, 0]);
    head.writeUInt16LE(4 + body.length, 2);
    return Buffer.concat([head, body]);
  };
  const path = Buffer.concat([
    node(2, 1, 'd041030a', '00000000'),
    node(1, 1, '0010'),
    node(3, 11, MAC, Buffer.alloc(26), '01'),
    node(3, 12, Buffer.alloc(23)),
    node(3, 24, Buffer.from(url)),
    Buffer.from('7fff0400', 'hex'),
  ]);
  const head = Buffer.alloc(6);
  head.writeUInt32LE(1, 0);
  head.writeUInt16LE(path.length, 4);
  const name = Buffer.from('boot over HTTP\0', 'utf16le');
  const global = { vendor: '8be4df61-93ca-11d2-aa0d-00e098032b8c', attributes: 7 };
  return [
    { ...global, name: 'Boot0099', data: Buffer.concat([head, name, path]) },
    { ...global, name: 'BootOrder', data: Buffer.from('9900', 'hex') },
  ];
}
