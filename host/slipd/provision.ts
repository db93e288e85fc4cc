/**
 * When the provisioner's programs are started: what needs the network once there is one, and the way back from a configuration that is
 * only tried. slipd waits for none of them.
 */
import { PROVISIONING_PATHS } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PATHS, PROGRAMS, UPDATER_MODULE } from './paths.ts';

const { program, runtime } = PROVISIONING_PATHS;
/** Written by the provisioner. `due`: there is work that needs the network. `try`: uptime in milliseconds at which the old configuration returns. */
const FILES = { due: `${runtime}/due`, try: `${runtime}/try`, problem: `${runtime}/problem` } as const;

/** A network that is not there by then is not waited for: what can be done without is done. */
const NETWORK_PATIENCE_MS = 60_000;
/** After a run that left its work undone. */
const AGAIN_MS = 30_000;
/** What it may take of the machine's memory; the programs that it starts included. */
const MEMORY_BYTES = 64 * 1024 * 1024;

export interface Provisioner {
  /** Called on each turn; `network`: whether it is up. Returns the uptime at which it wants to be called again. */
  tick(network: boolean): number;
  /** There is work left, or under way. */
  readonly busy: () => boolean;
}

/** `ended`: called after each run. */
export function createProvisioner(system: System, ended: () => void): Provisioner {
  const startedMs = system.uptimeMs();
  let running = false;
  let notBeforeMs = 0;

  function tick(network: boolean): number {
    const nowMs = system.uptimeMs();
    if (running || system.status(runtime) === undefined) return Infinity;
    const revertMs = Number(system.readText(FILES.try)?.trim() ?? 'NaN');
    if (nowMs >= revertMs) {
      start('revert');
      return Infinity;
    }
    const due = system.status(FILES.due) !== undefined;
    const fromMs = Math.max(notBeforeMs, network ? 0 : startedMs + NETWORK_PATIENCE_MS);
    if (due && nowMs >= fromMs) {
      start('online');
      return Infinity;
    }
    return Math.min(due ? fromMs : Infinity, Number.isNaN(revertMs) ? Infinity : revertMs);
  }

  function start(command: string): void {
    running = true;
    const log = system.open(`${runtime}/log`, { access: 'write', append: true, create: { mode: 0o600 } });
    const streams = log < 0 ? {} : { stdout: log, stderr: log };
    const over = (): void => {
      running = false;
      notBeforeMs = system.uptimeMs() + AGAIN_MS;
      ended();
    };
    const pid = system.spawn(provisionerCommand([command]), {
      ...streams,
      environment: ENVIRONMENT,
      onExit: over,
    });
    if (log >= 0) system.close(log);
    if (pid < 0) system.after(0, over);
  }

  return { tick, busy: () => running || system.status(FILES.due) !== undefined };
}

export function hasProvisioner(system: System): boolean {
  return system.status(program) !== undefined;
}

/** In a control group of its own. */
export function provisionerCommand(words: readonly string[]): readonly string[] {
  const script =
    'mkdir -p "$0" && echo "$1" >"$0/memory.max" && echo $$ >"$0/cgroup.procs"; shift; exec "$@"';
  const qjs = [PROGRAMS.qjs, ...UPDATER_MODULE, program];
  return [PROGRAMS.shell, '-c', script, `${PATHS.cgroups}/provision`, `${MEMORY_BYTES}`, ...qjs, ...words];
}

/** Why the gate `provisioning` is not well. */
export function provisioningProblem(system: System): string | undefined {
  return system.readText(FILES.problem)?.trim();
}
