/** What an idle machine uses, and the least memory with which it becomes healthy. */
import { mkdir } from 'node:fs/promises';
import { ssh } from '../lab/ssh.ts';
import { buildTestImage } from '../test/boot/image.ts';
import { idleMemory, slipShell, untilHealthy } from './idle.ts';
import { benchMachine, firstLogin, LIMIT_MS, login, WORK } from './machine.ts';

export interface MemoryResult {
  readonly image: string;
  /** MemTotal - MemAvailable of a machine as it stands in the field. */
  readonly idleBytes: number;
  /** The same where the hypervisor offers the port for reports: the kernel's driver keeps 2048 pages ready for what might come in. */
  readonly idleWithReportPortBytes: number;
  readonly slipdResidentBytes: number;
  /** `-m`, in steps of 16. */
  readonly leastMiB: number;
}

const STEP_MIB = 16;
const MEMORY_MIB = 256;

export async function benchMemory(image: string): Promise<MemoryResult> {
  await mkdir(WORK, { recursive: true });
  const source = await buildTestImage(`images/${image}.yaml`);
  const disk = { disk: source.disk, diskSizeBytes: source.machineDiskBytes };
  const machine = await benchMachine(`${image}-memory`, {
    ...disk,
    memoryMiB: MEMORY_MIB,
    reportPort: false,
  });
  let idleBytes: number;
  let slipdResidentBytes: number;
  try {
    const access = await firstLogin(() => login(machine, source.user));
    await untilHealthy(async () => (await ssh(access, 'slip status --json')).stdout.toString('utf8'));
    const root = slipShell(access);
    idleBytes = await idleMemory(root);
    slipdResidentBytes =
      1024 * number(await root('grep VmRSS /proc/$(cat /run/slipway/slipd.pid)/status'), /(\d+) kB/);
  } finally {
    await machine.close();
  }
  return {
    image,
    idleBytes,
    idleWithReportPortBytes: await reportedMemory(image, disk),
    slipdResidentBytes,
    leastMiB: await leastMemory(image, disk),
  };
}

/** As slipd reports it once every gate was healthy for the soak time. */
async function reportedMemory(image: string, disk: { disk: string; diskSizeBytes: number }): Promise<number> {
  const machine = await benchMachine(`${image}-memory-reported`, { ...disk, memoryMiB: MEMORY_MIB });
  try {
    const { memory } = (await machine.waitForReport('healthy', LIMIT_MS)).status;
    return memory.totalBytes - memory.availableBytes;
  } finally {
    await machine.close();
  }
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
