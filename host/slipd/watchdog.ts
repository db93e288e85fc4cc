/**
 * The hardware watchdog. The initrd armed it; slipd keeps it open and pets it after each full pass over the health checks, and never
 * closes it with the magic character: when slipd goes and does not come back, the machine restarts.
 */
import type { MachineStatus } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** A sixth of the timeout that the initrd sets. */
export const PET_INTERVAL_MS = 10_000;

export interface Watchdog {
  readonly kind: MachineStatus['watchdog'];
  pet(): void;
}

export function openWatchdog(system: System): Watchdog {
  const fd = system.open(PATHS.watchdogDevice, { access: 'write' });
  if (fd < 0) return { kind: 'none', pet: () => undefined };
  const identity = system.readText(PATHS.watchdogIdentity)?.trim() ?? '';
  const beat = new Uint8Array([0x31]);
  return {
    kind: identity === 'Software Watchdog' ? 'softdog' : 'hardware',
    pet: () => void system.write(fd, beat),
  };
}
