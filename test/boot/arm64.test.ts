/** Machines of another architecture than the workstation's: built here, and started in QEMU's `virt` with AAVMF. */
import { describe, expect, test } from 'vitest';
import { buildTestImage } from './image.ts';
import { HEALTHY_LIMIT_MS, healthyMachine, ssh, withMachine } from './machine.ts';

describe.skipIf(process.env['SLIPWAY_TEST_FULL'] === undefined)('arm64', () => {
  test.each(['minimal', 'tiny'])(
    '%s starts under Secure Boot, and grows its disk',
    async (name) => {
      const { disk, machineDiskBytes, architecture, user } = await buildTestImage(
        `images/${name}.yaml`,
        [],
        'arm64',
      );
      await withMachine(
        { disk, architecture, diskSizeBytes: machineDiskBytes, name: `${name}-arm64` },
        async (machine) => {
          const { status, access } = await healthyMachine(machine, user);
          expect(status.image).toMatchObject({ name, architecture: 'arm64' });
          expect(status.problems).toEqual([]);
          expect((await ssh(access, 'uname -m')).trim()).toBe('aarch64');
          expect(await ssh(access, 'slip state show')).toMatch(/[4-9]\.\d GB/);
        },
      );
    },
    2 * HEALTHY_LIMIT_MS,
  );
});
