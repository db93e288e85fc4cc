/** What has to be told to slipd while it runs: services that read what changed, and that the machine goes down. */
import { runProgram } from '../../system/program.ts';
import type { System } from '../../system/system.ts';
import type { PowerWish } from './apply/finish.ts';
import { sayOnConsole } from './console.ts';

const SLIP = '/usr/bin/slip';

/** Those that do not run, or are not there, read it when they start. */
export async function restartServices(system: System, names: readonly string[]): Promise<void> {
  for (const name of names) await runProgram(system, [SLIP, 'restart', name]);
}

/** In a process of its own, after its delay. */
export function goDown(system: System, { mode, delaySeconds, message }: PowerWish): void {
  sayOnConsole(system, `slipway: ${message ?? `the configuration asks for ${mode}`}\r\n`);
  const script = 'sleep "$0"; exec "$@"';
  system.spawn(['/usr/bin/busybox', 'setsid', '/bin/sh', '-c', script, `${delaySeconds}`, SLIP, mode]);
}
