/**
 * Debian beside ours: the same kernel with the same command line, through the same firmware and boot loader, in the same QEMU. Its
 * initrd is ours of the yardstick with one driver more, which is less than Debian's own would be.
 */
import { mkdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { run } from '../../builder/process/run.ts';
import { prepareSsh, publicKeyText, ssh, sshKey } from '../../lab/ssh.ts';
import type { Machine } from '../../lab/machine.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { changeEsp, withDiskCopy } from '../../test/boot/disk-edit.ts';
import { buildTestImage, testKeys } from '../../test/boot/image.ts';
import { bareUki } from '../bare.ts';
import { idleMemory } from '../idle.ts';
import { benchMachine, firstLogin, LIMIT_MS, median, WORK } from '../machine.ts';
import { debianPackages } from './packages.ts';
import { debianRoot } from './root.ts';
import { debianUki } from './uki.ts';

export interface DebianResult {
  readonly bareMs: number;
  /** ssh.service and chrony.service are active. */
  readonly servicesMs: number;
  /** Median of the rounds' own ratios. */
  readonly ratio: number;
  readonly idleBytes: number;
  readonly rounds: number;
}

const MEMORY_MIB = 256;

export async function benchDebian(rounds: number): Promise<DebianResult> {
  const directory = join(WORK, 'debian');
  await mkdir(directory, { recursive: true });
  const source = await buildTestImage('images/minimal.yaml');
  const uki = await readFile(source.disk.replace(/\.raw$/, '.efi'));
  const signer = (await testKeys()).uki;
  const esp = `EFI/Linux/${basename(source.disk, '.raw')}.efi`;
  const root = join(directory, 'root.ext4');
  const key = await sshKey(join(WORK, 'ssh'));
  await debianRoot(await debianPackages(), root, await publicKeyText(key));
  const overlay = join(directory, 'root.qcow2');
  await rm(overlay, { force: true });
  const qemuImg = (await labToolbox()).command('qemu-img');
  await run([...qemuImg, 'create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', root, overlay]);
  const extraDisks = [{ path: overlay, format: 'qcow2' as const }];
  const access = (machine: Machine): ReturnType<typeof prepareSsh> =>
    prepareSsh(directory, { key, port: machine.sshPort, user: 'root' });

  return withDiskCopy(source.disk, (bareDisk) =>
    withDiskCopy(source.disk, async (disk) => {
      await changeEsp(bareDisk, { [esp]: await bareUki(uki, signer) });
      await changeEsp(disk, { [esp]: await debianUki(uki, signer) });
      await firstBoot();
      const measured: { bare: number; services: number }[] = [];
      for (let round = 0; round < rounds; round++)
        measured.push({
          bare: await started('debian-bare', { disk: bareDisk }),
          services: await started('debian', { disk, extraDisks }),
        });
      return {
        bareMs: median(measured.map(({ bare }) => bare)),
        servicesMs: median(measured.map(({ services }) => services)),
        ratio: median(measured.map(({ bare, services }) => services / bare)),
        idleBytes: await idle(),
        rounds,
      };

      async function firstBoot(): Promise<void> {
        const machine = await benchMachine('debian-first', { disk, extraDisks });
        try {
          await machine.waitForReport('started', LIMIT_MS);
          await ssh(await access(machine), 'systemctl poweroff').catch(() => undefined);
          await machine.exited;
        } finally {
          await machine.close();
        }
      }

      /** In the field there is no port for reports either (memory.ts). */
      async function idle(): Promise<number> {
        const options = { disk, extraDisks, memoryMiB: MEMORY_MIB, reportPort: false as const };
        const machine = await benchMachine('debian-memory', options);
        try {
          const login = await firstLogin(() => access(machine));
          return await idleMemory(async (command) => (await ssh(login, command)).stdout.toString('utf8'));
        } finally {
          await machine.close();
        }
      }
    }),
  );
}

async function started(name: string, options: Parameters<typeof benchMachine>[1]): Promise<number> {
  const machine = await benchMachine(join('boot', name), options);
  try {
    return (await machine.waitForReport('started', LIMIT_MS)).uptimeMs;
  } finally {
    await machine.close();
  }
}
