/** What a machine does by itself after `slip update apply`: waited for by its own reports. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ssh as sshRun } from '../../../lab/ssh.ts';
import type { MachineStatus } from '../../../spec/machine.ts';
import type { UpdatingMachine } from './machine.ts';

type Failed = NonNullable<MachineStatus['update']>['failed'][number];

/** Applies what is due, up to the machine's reset. The connection may end with the machine. */
export async function applyUntilReset({ machine, access }: UpdatingMachine, limitMs: number): Promise<void> {
  const seen = machine.events.length;
  const applied = sshRun(access, 'slip update apply --json', { timeoutMs: limitMs });
  await Promise.race([
    machine.waitForEvent('RESET', limitMs, seen),
    // What is refused does not restart the machine: say why, and do not wait.
    applied.then(
      () => machine.waitForEvent('RESET', limitMs, seen),
      (error: unknown) => {
        if (/closed|reset|255/i.test(String(error))) return machine.waitForEvent('RESET', limitMs, seen);
        throw error;
      },
    ),
  ]);
  applied.catch(() => undefined);
}

/** Until it runs `version`, healthy, however many starts that takes. */
export async function runsAgain(
  { machine }: UpdatingMachine,
  version: string,
  limitMs: number,
): Promise<MachineStatus> {
  for (;;) {
    const seen = machine.events.length;
    const { status } = await machine.waitForReport('healthy', limitMs);
    if (status.image.version === version) return status;
    await machine.waitForEvent('RESET', limitMs, seen);
  }
}

/** What the machine remembers of a version that failed; it compares its record a while after it is healthy. */
export async function remembered(
  machine: UpdatingMachine,
  version: string,
  limitMs: number,
): Promise<Failed> {
  for (const end = Date.now() + limitMs; ; await sleep(1000)) {
    const { update } = await machine.status();
    const failed = update?.failed.find((one) => one.version === version);
    if (failed !== undefined) return failed;
    if (Date.now() > end) throw new Error(`the machine does not remember that ${version} failed`);
  }
}
