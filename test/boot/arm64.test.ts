/** Machines of another architecture than the workstation's: built and exported here, and started in QEMU's `virt` with AAVMF. */
import { mkdir, rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { run } from '../../builder/process/run.ts';
import { publicKeyText, sshKey } from '../../lab/ssh.ts';
import { readBlocks, theBlock } from '../docs/blocks.ts';
import { buildTestImage, KEYS, WORK } from './image.ts';
import { blankDisk, bootsLive, exported } from './live.ts';
import {
  expectQuietConsole,
  HEALTHY_LIMIT_MS,
  healthyMachine,
  slipStatus,
  ssh,
  withMachine,
  type TestMachineOptions,
} from './machine.ts';
import { META_DATA, NETWORK, userData } from './provision/document.ts';
import { eventually, startProvisioned } from './provision/provisioned.ts';

const LIMIT_MS = 3 * HEALTHY_LIMIT_MS;

describe.skipIf(process.env['SLIPWAY_TEST_FULL'] === undefined)('arm64', { timeout: LIMIT_MS }, () => {
  test('minimal starts under Secure Boot, and grows its disk', async () => {
    const { disk } = await buildTestImage('images/minimal.yaml', [], 'arm64');
    await boots('minimal', { name: 'minimal-arm64', disk });
  });

  test('tiny starts from what is for QEMU and clouds (qcow2)', async () => {
    const [disk] = await exported('qcow2', 'images/tiny.yaml', 'arm64');
    await boots('tiny', { name: 'tiny-arm64', disk, diskFormat: 'qcow2' });
  });

  test('metal starts from NVMe, over a card of Intel', async () => {
    const { disk } = await buildTestImage('images/metal.yaml', [], 'arm64');
    await boots('metal', {
      ...{ name: 'metal-arm64', disk, diskBus: 'nvme', networkCard: 'e1000e', memoryMiB: 1024 },
    });
  });

  test('provision does what a NoCloud disk says, by programs of many modules', async () => {
    const key = await publicKeyText(await sshKey(join(WORK, 'ssh')));
    const told = await startProvisioned({
      ...{ name: 'provision-arm64', architecture: 'arm64', image: 'test/boot/images/provision.yaml' },
      cidata: {
        'user-data': userData({ hostname: 'web-1', user: 'carol', greeting: 'hello', key }),
        'meta-data': META_DATA,
        'network-config': NETWORK,
      },
    });
    try {
      await told.applied();
      expect(await ssh(await told.accessOf('carol'), 'uname -m; hostname')).toBe('aarch64\nweb-1\n');
      expect((await told.status()).problems).toEqual([]);
      await eventually('its service runs', async () =>
        (await slipStatus(told.admin())).services.some(
          ({ name, state }) => name === 'greeter' && state === 'running',
        ),
      );
      expectQuietConsole(told.machine);
    } finally {
      await told.close();
    }
  });

  test('a live medium starts as a CD', async () => {
    const [iso] = await exported('iso', 'images/minimal.yaml', 'arm64');
    await bootsLive({
      name: 'cd-arm64',
      architecture: 'arm64',
      disk: await blankDisk(64 * 1024 ** 2),
      memoryMiB: 1024,
      medium: '/dev/sr0',
      extraArguments: [
        ...['-drive', `if=none,id=cd0,format=raw,readonly=on,media=cdrom,file=${iso}`],
        ...['-device', 'virtio-scsi-pci,id=cds', '-device', 'scsi-cd,drive=cd0,bus=cds.0,bootindex=5'],
      ],
    });
  });

  test('the commands of docs/install.md', async () => {
    const commands = theBlock(await readBlocks('docs/install.md'), 'arm64', 'sh');
    const directory = join(WORK, 'docs-arm64');
    await rm(directory, { recursive: true, force: true });
    await mkdir(directory, { recursive: true });
    try {
      await symlink(resolve('bin/slipway'), join(directory, 'slipway'));
      await symlink(KEYS, join(directory, 'keys'));
      for (const folder of ['images', 'system-containers'])
        await symlink(resolve(folder), join(directory, folder));
      const { stdout } = await run(['sh', '-eu', '-c', commands], {
        cwd: directory,
        environment: { PATH: `${directory}:${process.env['PATH'] ?? ''}` },
        timeoutMs: LIMIT_MS,
      });
      expect(stdout.toString('utf8')).toMatch(/minimal \S+ is healthy/);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

async function boots(image: string, options: TestMachineOptions): Promise<void> {
  const { machineDiskBytes, user } = await buildTestImage(`images/${image}.yaml`, [], 'arm64');
  await withMachine(
    { ...options, architecture: 'arm64', diskSizeBytes: machineDiskBytes },
    async (machine) => {
      const { status, access } = await healthyMachine(machine, user);
      expect(status.image).toMatchObject({ name: image, architecture: 'arm64' });
      expect(status.problems).toEqual([]);
      expect((await ssh(access, 'uname -m')).trim()).toBe('aarch64');
      expect(await ssh(access, 'slip state show')).toMatch(/[4-9]\.\d GB/);
    },
  );
}
