/** What an idle machine uses, and the least memory with which it becomes healthy. */
import { mkdir } from 'node:fs/promises';
import { ssh } from '../lab/ssh.ts';
import { buildTestImage } from '../test/boot/image.ts';
import { benchMachine, LIMIT_MS, login, WORK } from './machine.ts';

export interface MemoryResult {
  readonly image: string;
  /** MemTotal - MemAvailable. */
  readonly idleBytes: number;
  readonly slipdResidentBytes: number;
  /** `-m`, in steps of 16. */
  readonly leastMiB: number;
}

const STEP_MIB = 16;

export async function benchMemory(image: string): Promise<MemoryResult> {
  await mkdir(WORK, { recursive: true });
  const source = await buildTestImage(`images/${image}.yaml`);
  const disk = { disk: source.disk, diskSizeBytes: source.machineDiskBytes };
  const machine = await benchMachine(`${image}-memory`, { ...disk, memoryMiB: 256 });
  let idleBytes: number;
  let slipdResidentBytes: number;
  try {
    // As slipd reports it once every gate was healthy for the soak time: nobody is logged in to look.
    const { memory } = (await machine.waitForReport('healthy', LIMIT_MS)).status;
    idleBytes = memory.totalBytes - memory.availableBytes;
    const access = await login(machine, source.user);
    const root = async (command: string): Promise<string> =>
      (await ssh(access, `slip shell -T -- /bin/sh -c '${command}'`)).stdout.toString('utf8');
    slipdResidentBytes =
      1024 * number(await root('grep VmRSS /proc/$(cat /run/slipway/slipd.pid)/status'), /(\d+) kB/);
  } finally {
    await machine.close();
  }
  return { image, idleBytes, slipdResidentBytes, leastMiB: await leastMemory(image, disk) };
}

/** Between what cannot and what can, halving. */
async function leastMemory(image: string, disk: { disk: string; diskSizeBytes: number }): Promise<number> {
  let [bad, good] = [96, 256];
  while (good - bad > STEP_MIB) {
    const memoryMiB = Math.round((bad + good) / 2 / STEP_MIB) * STEP_MIB;
    const machine = await benchMachine(`${image}-${memoryMiB}`, { ...disk, memoryMiB, restart: 'never' });
    try {
      await machine.waitForReport('healthy', LIMIT_MS / 3);
      if (machine.scanConsole().some(({ kind }) => kind === 'out-of-memory'))
        throw new Error('out of memory');
      good = memoryMiB;
    } catch {
      bad = memoryMiB;
    } finally {
      await machine.close();
    }
  }
  return good;
}

function number(text: string, pattern: RegExp): number {
  return Number(pattern.exec(text)?.[1] ?? NaN);
}
