/** images/metal.yaml on what QEMU has of real machines: disks behind other controllers, network cards that are not virtio's, no serial port. */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Machine } from '../../lab/machine.ts';
import type { DiskBus, NetworkCard } from '../../lab/qemu.ts';
import { buildTestImage, WORK } from './image.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, withMachine } from './machine.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
/** In `npm run test:full`; `npm test` has one machine with a disk on NVMe (buses.test.ts). */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';

describe.runIf(FULL)('metal', { timeout: LIMIT_MS }, () => {
  test('a disk on USB, a card of Intel', () => boots('usb', 'e1000e'));

  test.each([
    ['ahci', 'igb'],
    ['nvme', 'virtio-net-pci'],
    ['virtio-scsi', 'igb'],
  ] as const)('a disk on %s, a card %s', (bus, card) => boots(bus, card));

  test.each([['nvme'], ['virtio-scsi'], ['usb']] as const)('a disk on %s with sectors of 4096 bytes', (bus) =>
    boots(bus, 'e1000e', 4096),
  );

  // Elsewhere, each character that a console without a UART was to take cost its time-out: five minutes for a boot.
  test('without a serial port it starts as fast, and its screen is its console', async () => {
    const { disk, machineDiskBytes, user } = await buildTestImage('images/metal.yaml');
    await withMachine(
      {
        ...{
          name: 'metal-screen',
          disk,
          diskSizeBytes: machineDiskBytes,
          diskBus: 'nvme',
          networkCard: 'e1000e',
        },
        serialPort: false,
        extraArguments: ['-device', 'VGA'],
      },
      async (machine) => {
        const { status, access } = await healthyMachine(machine, user);
        expect(status).toMatchObject({ boot: 'healthy', problems: [], slot: 'a' });
        const root = (command: string): Promise<string> => ssh(access, `slip shell -T -- sh -c '${command}'`);
        expect(await root('ls -l /dev/console')).toMatch(/\b4, +0\b/);
        const before = await litPixels(machine);
        await root(`yes "${'#'.repeat(60)}" | head -n 20 >/dev/console`);
        expect(await root('cat /dev/vcs1')).toContain('#'.repeat(60));
        expect((await litPixels(machine)) - before).toBeGreaterThan(20 * 60 * 10);
      },
    );
  });
});

/** Of what a person before the machine sees. A picture of QEMU's: `P6`, width, height, 255, then three bytes for each pixel. */
async function litPixels(machine: Machine): Promise<number> {
  const path = join(WORK, 'screen.ppm');
  await machine.qmp.execute('screendump', { filename: path });
  const picture = await readFile(path);
  await rm(path);
  const head =
    /^P6\s+\d+\s+\d+\s+255\s/.exec(picture.toString('latin1', 0, 64))?.[0].length ?? picture.length;
  let lit = 0;
  for (let at = head; at + 2 < picture.length; at += 3)
    if ((picture[at] ?? 0) + (picture[at + 1] ?? 0) + (picture[at + 2] ?? 0) > 0) lit++;
  return lit;
}

async function boots(
  diskBus: DiskBus,
  networkCard: NetworkCard,
  sectorSize: 512 | 4096 = 512,
): Promise<void> {
  const source = await buildTestImage(
    sectorSize === 512 ? 'images/metal.yaml' : 'test/boot/images/metal-sectors.yaml',
  );
  const options = { name: `metal-${diskBus}-${networkCard}-${sectorSize}`, disk: source.disk };
  await withMachine(
    { ...options, diskBus, sectorSize, networkCard, diskSizeBytes: source.machineDiskBytes },
    async (machine) => {
      const { status, access } = await healthyMachine(machine, source.user);
      expect(status).toMatchObject({ boot: 'healthy', problems: [], slot: 'a' });
      const driver = 'readlink /sys/class/net/en*/device/driver';
      expect(await ssh(access, driver)).toMatch(
        networkCard === 'virtio-net-pci' ? /virtio_net/ : networkCard,
      );
    },
  );
}
