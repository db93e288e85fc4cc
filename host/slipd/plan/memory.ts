/**
 * What slipd remembers, and what it hears. Pure data: kept as JSON under /run, so that a new slipd goes on where a killed one was.
 * Times are milliseconds of uptime.
 */
import type { MachineDescription, ServiceHealth } from '../../../spec/machine.ts';

/** `down`: no process. `starting`: asked for, no container yet. `up`: the container runs. `stopping`: told to stop. */
export type Phase = 'down' | 'starting' | 'up' | 'stopping';

export interface HealthMemory {
  readonly state: ServiceHealth;
  /** Failed checks in a row that count. */
  readonly failures: number;
  /** When the next check is due; `null` while there is none to come. */
  readonly nextAtMs: number | null;
  readonly checkingSinceMs: number | null;
  /** How long to wait after the next early failure. */
  readonly earlyDelayMs: number;
  /** What the last failed check said. */
  readonly detail: string | null;
  /** When the last good check began. */
  readonly provenAtMs: number | null;
}

export interface ExitMemory {
  readonly code: number;
  readonly atMs: number;
  /** slipd or the operator wanted it. */
  readonly wanted: boolean;
  /** Had to be killed: it outlived its grace. */
  readonly killed: boolean;
}

export interface ServiceMemory {
  readonly phase: Phase;
  /** Whether it should run, as far as the operator and its own life are concerned. */
  readonly wanted: boolean;
  /** Its dependencies were met once in this boot; they are not asked again. */
  readonly released: boolean;
  /** Numbers the starts, so that a late message about an earlier run is known as such. */
  readonly run: number;
  readonly restarts: number;
  /** Runs in a row that ended soon. */
  readonly failures: number;
  /** `on-failure: N` counts these. */
  readonly retries: number;
  readonly startedAtMs: number | null;
  readonly notBeforeMs: number;
  readonly stoppingSinceMs: number | null;
  readonly killedAtMs: number | null;
  readonly restartWhenDown: boolean;
  readonly lastExit: ExitMemory | null;
  readonly outOfMemoryKills: number;
  readonly lastOutOfMemoryMs: number | null;
  readonly health: HealthMemory;
}

export type PowerAction = 'reboot' | 'poweroff' | 'external';

export interface ShutdownMemory {
  readonly action: PowerAction;
  readonly sinceMs: number;
  readonly finished: boolean;
}

export interface BootMemory {
  /** When the first slipd of this boot began. */
  readonly sinceMs: number;
  readonly verdict: 'starting' | 'healthy' | 'degraded';
  /** Since when every gate has been healthy without a break. */
  readonly gatesHealthySinceMs: number | null;
  /** The verdict that was reported last. */
  readonly reported: 'none' | 'started' | 'healthy' | 'degraded';
}

export type UpdateGate = 'updater' | 'network';

export interface UpdateGateMemory {
  readonly state: 'unknown' | 'healthy' | 'unhealthy';
  readonly detail: string | null;
  readonly checkingSinceMs: number | null;
  readonly nextAtMs: number;
}

export interface UpdateMemory {
  /** `giving-up`: the way back has begun. `kept`: it is not good, and there is no way back from it. */
  readonly phase: 'trying' | 'confirming' | 'committed' | 'giving-up' | 'kept';
  readonly reason: string | null;
  /** What of switch.js runs. */
  readonly command: 'boot' | 'confirm' | 'fail' | 'retry' | null;
  readonly commandSinceMs: number;
  readonly nextAtMs: number;
  /** The update record was compared with what runs. */
  readonly reconciled: boolean;
  /** Since when some gate has been bad, not only late. */
  readonly badSinceMs: number | null;
  readonly gates: Readonly<Record<UpdateGate, UpdateGateMemory>>;
  /** Whether the configuration has work left that may yet fail: what is fetched, what a metadata server says. */
  readonly provisioning: 'settled' | 'under way';
}

export interface Memory {
  readonly format: 1;
  readonly services: Readonly<Record<string, ServiceMemory>>;
  readonly boot: BootMemory;
  readonly shutdown: ShutdownMemory | null;
  /** Gates of the machine itself that are bad, and why; from the boot scripts. */
  readonly problems: readonly string[];
  /** `null` where the image has no updater. */
  readonly update: UpdateMemory | null;
}

export type Event =
  | { readonly kind: 'started'; readonly service: string; readonly run: number; readonly atMs: number }
  | {
      readonly kind: 'exited';
      readonly service: string;
      readonly run: number;
      readonly code: number;
      readonly atMs: number;
    }
  | {
      readonly kind: 'probed';
      readonly service: string;
      readonly run: number;
      readonly ok: boolean;
      readonly detail: string;
    }
  | { readonly kind: 'out-of-memory'; readonly service: string; readonly atMs: number }
  | { readonly kind: 'start' | 'stop' | 'restart'; readonly service: string }
  | { readonly kind: 'shutdown'; readonly action: PowerAction }
  | {
      readonly kind: 'gate-checked';
      readonly gate: UpdateGate;
      readonly ok: boolean;
      readonly detail: string;
    }
  | { readonly kind: 'switched'; readonly code: number; readonly detail: string };

export type Action =
  | { readonly kind: 'start'; readonly service: string; readonly run: number }
  | { readonly kind: 'signal'; readonly service: string; readonly signal: string }
  | { readonly kind: 'kill'; readonly service: string }
  | { readonly kind: 'probe'; readonly service: string; readonly run: number }
  | { readonly kind: 'report'; readonly event: 'started' | 'healthy' | 'degraded' }
  | { readonly kind: 'power'; readonly action: PowerAction }
  | { readonly kind: 'update-gate'; readonly gate: UpdateGate }
  | {
      readonly kind: 'switch';
      readonly command: 'boot' | 'confirm' | 'fail' | 'retry';
      readonly reason: string;
    };

export const NO_HEALTH: HealthMemory = {
  state: 'none',
  failures: 0,
  nextAtMs: null,
  checkingSinceMs: null,
  earlyDelayMs: 0,
  detail: null,
  provenAtMs: null,
};

/** Nothing has been started yet. */
export function initialMemory(description: MachineDescription, nowMs: number): Memory {
  const services: Record<string, ServiceMemory> = {};
  for (const service of description.services) {
    services[service.name] = {
      phase: 'down',
      wanted: service.type !== 'onshutdown',
      released: false,
      run: 0,
      restarts: 0,
      failures: 0,
      retries: 0,
      startedAtMs: null,
      notBeforeMs: 0,
      stoppingSinceMs: null,
      killedAtMs: null,
      restartWhenDown: false,
      lastExit: null,
      outOfMemoryKills: 0,
      lastOutOfMemoryMs: null,
      health: NO_HEALTH,
    };
  }
  return {
    format: 1,
    services,
    boot: { sinceMs: nowMs, verdict: 'starting', gatesHealthySinceMs: null, reported: 'none' },
    shutdown: null,
    problems: [],
    update: null,
  };
}

/** The same memory with one service changed. */
export function withService(memory: Memory, name: string, change: Partial<ServiceMemory>): Memory {
  const service = memory.services[name];
  if (service === undefined) return memory;
  return { ...memory, services: { ...memory.services, [name]: { ...service, ...change } } };
}
