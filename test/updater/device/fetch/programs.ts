/** The machine's own programs, from the locks of the images that hold them. */
import { fileURLToPath } from 'node:url';
import { readLock } from '../../../../builder/lock/lock-file.ts';
import { openToolbox } from '../../../../builder/tools/toolbox.ts';
import type { FetchProgram } from '../../../../updater/device/fetch/config.ts';

let opened: ReturnType<typeof open> | undefined;

/** argv prefix of a program that images/minimal.yaml puts on the machine. */
export async function machineProgram(name: 'curl' | 'busybox' | 'zstd' | 'qjs'): Promise<readonly string[]> {
  opened ??= open();
  return (await opened).command(name);
}

async function open(): ReturnType<typeof openToolbox> {
  const lock = await readLock(fileURLToPath(new URL('../../../../images/minimal.lock', import.meta.url)));
  // The kernel is large, and no program.
  return openToolbox(lock?.packages.filter(({ name }) => !name.startsWith('linux-image')) ?? []);
}

export async function fetchProgram(kind: FetchProgram['kind']): Promise<FetchProgram> {
  if (kind === 'curl') return { kind, argv: await machineProgram('curl') };
  return { kind, argv: [...(await machineProgram('busybox')), 'wget'] };
}
