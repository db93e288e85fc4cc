/** images/metal.yaml on what QEMU has of real machines: disks behind other controllers, network cards that are not virtio's, no serial port. */
import { describe, expect, test } from 'vitest';
import type { DiskBus, NetworkCard } from '../../lab/qemu.ts';
import { buildTestImage } from './image.ts';
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
});

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
