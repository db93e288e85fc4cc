/** Machines for measuring: two processors, 512 MiB, the writes of earlier boots kept. */
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chooseAccelerator } from '../lab/accelerator.ts';
import { startMachine, type Machine, type MachineOptions } from '../lab/machine.ts';
import type { SecureBootVariables } from '../lab/ovmf-vars.ts';
import { prepareSsh, ssh, sshKey, type SshAccess } from '../lab/ssh.ts';
import { labToolbox } from '../lab/toolbox.ts';
import { testKeys } from '../test/boot/image.ts';

export const WORK = resolve('build/bench');
export const LIMIT_MS = 300_000;

export async function benchMachine(
  name: string,
  options: MachineOptions & { overlay?: string },
): Promise<Machine> {
  const toolbox = await labToolbox();
  const key = await sshKey(join(WORK, 'ssh'));
  return startMachine({
    toolbox,
    accelerator: await chooseAccelerator('auto', toolbox),
    memoryMiB: 512,
    cpus: 2,
    secureBoot: await trusted(),
    authorizedKeys: key.publicKey,
    console: join(WORK, `${name}.log`),
    ...options,
  });
}

/** An overlay in which the first boot is over and done with: the disk has grown, keys are made. */
export async function bootedOverlay(
  name: string,
  disk: string,
  diskSizeBytes: number,
  user: string,
): Promise<string> {
  const overlay = join(WORK, `${name}.qcow2`);
  await rm(overlay, { force: true });
  const machine = await benchMachine(`${name}-first`, { disk, diskSizeBytes, overlay });
  try {
    await machine.waitForReport('healthy', LIMIT_MS);
    const access = await login(machine, user);
    await ssh(access, 'slip poweroff').catch(() => undefined);
    await machine.exited;
  } finally {
    await machine.close();
  }
  return overlay;
}

export async function login(machine: Machine, user: string): Promise<SshAccess> {
  return prepareSsh(join(WORK, 'ssh'), { key: await sshKey(join(WORK, 'ssh')), port: machine.sshPort, user });
}

/** As soon as there is somebody to answer. */
export async function firstLogin(prepare: () => Promise<SshAccess>): Promise<SshAccess> {
  const limit = Date.now() + LIMIT_MS;
  for (;;) {
    try {
      const access = await prepare();
      await ssh(access, 'true');
      return access;
    } catch (error) {
      if (Date.now() > limit) throw error;
      await sleep(1000);
    }
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? NaN) + upper) / 2;
}

async function trusted(): Promise<SecureBootVariables> {
  const { pk, kek, db } = await testKeys();
  return { PK: pk.esl, KEK: kek.esl, db: db.esl };
}
