/** Until the new system can be logged in to and calls itself healthy. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../../spec/error.ts';
import type { MachineStatus } from '../../spec/machine.ts';
import { onMachine, type SshAddress, type SshOptions } from './address.ts';

const PAUSE_MS = 3_000;
const ATTEMPT_MS = 60_000;
/** The machine has another host key now; it is taken as it comes, as on any first login. */
const NEW_MACHINE = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR'];

/** Throws `install.not-back`, with the last answer there was. */
export async function waitUntilHealthy(
  address: SshAddress,
  ssh: SshOptions,
  limitMs: number,
): Promise<MachineStatus> {
  const end = Date.now() + limitMs;
  const settings = [...(ssh.settings ?? []), ...NEW_MACHINE];
  let last = 'nobody answers';
  while (Date.now() < end) {
    const status = await onMachine(address, { ...ssh, settings }, 'slip status --json', {
      timeoutMs: ATTEMPT_MS,
    }).then(
      ({ stdout }) => parseStatus(stdout.toString('utf8')),
      (error: unknown) => {
        last = error instanceof Error ? error.message : String(error);
        return undefined;
      },
    );
    if (status?.boot === 'healthy') return status;
    if (status !== undefined)
      last = `it is ${status.boot}: ${status.problems.join('; ') || 'not every gate is healthy yet'}`;
    await sleep(PAUSE_MS);
  }
  throw new SlipwayError(
    'install.not-back',
    `the machine was written and started anew, but within ${limitMs / 1000} s: ${last}`,
    {
      hint: 'it may have another address now, or let another user in (--after-host, --after-user); look at its console',
    },
  );
}

function parseStatus(text: string): MachineStatus | undefined {
  try {
    return JSON.parse(text) as MachineStatus;
  } catch {
    return undefined;
  }
}
