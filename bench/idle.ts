/** The memory of a machine that nobody is logged in to, read through SSH. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ssh, type SshAccess } from '../lab/ssh.ts';
import { LIMIT_MS } from './machine.ts';

/** A command of the host's root, in single quotes for the shell of the ssh container: it may hold double ones. */
export type RootShell = (command: string) => Promise<string>;

/** How long nobody has been logged in when a look is taken. */
const QUIET_S = 20;

/** MemTotal - MemAvailable: a process that is left behind writes down what it sees, and is asked for it later. */
export async function idleMemory(root: RootShell): Promise<number> {
  await root(
    `setsid /bin/sh -c "sleep ${QUIET_S}; cat /proc/meminfo >/run/idle" </dev/null >/dev/null 2>&1 &`,
  );
  await sleep((QUIET_S + 10) * 1000);
  const text = await root('cat /run/idle');
  const field = (name: string): number =>
    1024 * Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? NaN);
  return field('MemTotal') - field('MemAvailable');
}

/** The host's root on one of our machines. */
export function slipShell(access: SshAccess): RootShell {
  return async (command) =>
    (await ssh(access, `slip shell -T -- /bin/sh -c '${command}'`)).stdout.toString('utf8');
}

export async function untilHealthy(statusText: () => Promise<string>): Promise<void> {
  const limit = Date.now() + LIMIT_MS;
  while ((JSON.parse(await statusText()) as { boot: string }).boot !== 'healthy') {
    if (Date.now() > limit) throw new Error('the machine did not become healthy');
    await sleep(1000);
  }
}
