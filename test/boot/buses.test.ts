import { describe, expect, test } from 'vitest';
import type { DiskBus } from '../../lab/qemu.ts';
import { buildTestImage } from './image.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, withMachine } from './machine.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;
/** One bus that is none of virtio's for `npm test`, the others for `npm run test:full`. */
const FULL = process.env['SLIPWAY_TEST_FULL'] === '1';

/** The initrd has the driver of each, finds the disk by itself, and knows how its partitions are called. */
describe('a machine whose disk is on another bus', { timeout: LIMIT_MS }, () => {
  test('nvme', () => boots('nvme', 512, '/dev/nvme0n1'));

  test.runIf(FULL).each([
    ['ahci', '/dev/sda'],
    ['virtio-scsi', '/dev/sda'],
  ] as const)('%s', (bus, device) => boots(bus, 512, device));

  test.runIf(FULL).each([
    ['virtio', '/dev/vda'],
    ['nvme', '/dev/nvme0n1'],
    ['virtio-scsi', '/dev/sda'],
  ] as const)('%s with sectors of 4096 bytes', (bus, device) => boots(bus, 4096, device));
});

/** Its first boot: the partition table is adapted, state grown, all by the device's own name and sectors. */
async function boots(diskBus: DiskBus, sectorSize: 512 | 4096, device: string): Promise<void> {
  const source = await buildTestImage(
    sectorSize === 512 ? 'images/minimal.yaml' : 'test/boot/images/sectors.yaml',
  );
  const options = { name: `bus-${diskBus}-${sectorSize}`, disk: source.disk, diskBus, sectorSize };
  await withMachine({ ...options, diskSizeBytes: source.machineDiskBytes }, async (machine) => {
    const { status, access } = await healthyMachine(machine, source.user);
    expect(status).toMatchObject({ boot: 'healthy', problems: [], slot: 'a' });
    const shell = 'cat /run/slipway/boot/disk; cat /sys/class/block/*/queue/logical_block_size | sort -u';
    const [disk, ...sectors] = (await ssh(access, `slip shell -T -- sh -c '${shell}'`)).trim().split('\n');
    expect(disk).toBe(device);
    expect(sectors).toContain(String(sectorSize));
  });
}
