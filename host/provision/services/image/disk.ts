/** Writing to the state partition without ever filling it: others keep their logs and states there. */
import { SlipwayError } from '../../../../spec/error.ts';
import { runProgram } from '../../../../system/program.ts';
import type { System } from '../../../../system/system.ts';

export interface DiskGuard {
  /** Writes all of it; throws `services.disk-full` when that would leave too little. */
  write(fd: number, bytes: Uint8Array, path: string): Promise<void>;
  /** Throws unless that much could be written now. */
  demand(sizeBytes: number, path: string): Promise<void>;
  /** What a call that failed at a path most likely means. */
  failed(path: string): SlipwayError;
}

/** What must stay free: a sixteenth of the file system, at least 8 MiB, at most 256. */
const RESERVE = { share: 16, leastBytes: 8 * 1024 * 1024, mostBytes: 256 * 1024 * 1024 };
/** So much is written between two looks. */
const LOOK_BYTES = 8 * 1024 * 1024;

/** `directory`: on the file system that is written to. */
export function diskGuard(system: System, directory: string): DiskGuard {
  let left = 0;

  /** Without what must stay free. */
  async function room(): Promise<number> {
    const { totalBytes, freeBytes } = await space(system, directory);
    return freeBytes - Math.min(RESERVE.mostBytes, Math.max(RESERVE.leastBytes, totalBytes / RESERVE.share));
  }
  async function look(path: string): Promise<void> {
    left = Math.min(LOOK_BYTES, await room());
    if (left <= 0) throw diskFull(path);
  }
  return {
    async write(fd, bytes, path) {
      left -= bytes.length;
      if (left <= 0) await look(path);
      for (let done = 0; done < bytes.length;) {
        const count = system.write(fd, done === 0 ? bytes : bytes.subarray(done));
        if (typeof count !== 'number' || count === 0) throw diskFull(path);
        done += count;
      }
    },
    async demand(sizeBytes, path) {
      if ((await room()) < sizeBytes) throw diskFull(path, sizeBytes);
    },
    failed: (path) =>
      new SlipwayError('services.write', `${path} cannot be written`, {
        hint: 'is the state partition full, or read-only? slip state show',
      }),
  };
}

function diskFull(path: string, sizeBytes?: number): SlipwayError {
  const what = sizeBytes === undefined ? '' : `, ${Math.ceil(sizeBytes / 1024 ** 2)} MiB are needed`;
  return new SlipwayError('services.disk-full', `no room on the state partition for ${path}${what}`, {
    hint: 'make room below /var, or give the machine a larger disk: the state partition grows with it at the next boot',
  });
}

async function space(system: System, directory: string): Promise<{ totalBytes: number; freeBytes: number }> {
  const { code, stdout } = await runProgram(system, ['busybox', 'stat', '-f', '-c', '%S %b %a', directory]);
  const [block = 0, total = 0, free = 0] = system.decode(stdout).trim().split(' ').map(Number);
  if (code !== 0 || !(block > 0)) throw new SlipwayError('services.write', `${directory} cannot be written`);
  return { totalBytes: block * total, freeBytes: block * free };
}
