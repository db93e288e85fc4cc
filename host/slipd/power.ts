/** The last thing slipd does: tell who listens, then tell init. */
import type { MachineDescription } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { monitorFacts } from './monitor.ts';
import { PATHS } from './paths.ts';
import type { PowerAction } from './plan/memory.ts';
import type { Reporter } from './report.ts';

/** busybox init: SIGTERM reboots, SIGUSR2 powers off; both run the shutdown script first. */
const INIT_SIGNALS = { reboot: 15, poweroff: 12 } as const;
const LOGS_LIMIT_MS = 2_000;
const LOGS_POLL_MS = 20;

/** A shutdown that was under way when slipd was killed, or that somebody asked for by file before init was told. */
export function requestedShutdown(system: System): PowerAction | undefined {
  const text = system.readText(PATHS.shutdown)?.trim();
  return text === 'reboot' || text === 'poweroff' || text === 'external' ? text : undefined;
}

/** Waits until the log writers have written everything, reports, and hands over to init. */
export function finishShutdown(
  system: System,
  action: PowerAction,
  description: MachineDescription,
  reporter: Reporter,
): void {
  const limitMs = system.uptimeMs() + LOGS_LIMIT_MS;
  const look = (): void => {
    const alive = description.services.some(({ name }) => monitorFacts(system, name).alive);
    if (alive && system.uptimeMs() < limitMs) {
      system.after(LOGS_POLL_MS, look);
      return;
    }
    const reported = action === 'poweroff' ? 'poweroff' : 'reboot';
    reporter.report({ event: 'shutdown', uptimeMs: Math.round(system.uptimeMs()), action: reported });
    system.writeText(PATHS.stopped, `${action}\n`);
    if (action !== 'external') system.kill(1, INIT_SIGNALS[action]);
  };
  look();
}
