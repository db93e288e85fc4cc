/** A machine made of numbers: does what plan() asks, and lets a script decide how its services fare. */
import type { MachineDescription } from '../../../../spec/machine.ts';
import { hear } from '../../../../host/slipd/plan/events.ts';
import {
  initialMemory,
  type Action,
  type Event,
  type Memory,
  type UpdateGate,
} from '../../../../host/slipd/plan/memory.ts';
import { initialUpdate } from '../../../../host/slipd/plan/update.ts';
import { plan } from '../../../../host/slipd/plan/plan.ts';

/** How one run of a service goes. */
export interface Fate {
  /** From the order to the container; `null`: it never comes up. */
  readonly startsAfterMs: number | null;
  /** From the container's start to its end by itself; `null`: it stays. */
  readonly endsAfterMs: number | null;
  readonly exitCode: number;
  /** From the stop signal to the end; `null`: it ignores the signal. */
  readonly stopsAfterMs: number | null;
  readonly healthy: boolean;
  /** Since the machine's start: from then on it is not. */
  readonly breaksAtMs?: number;
  readonly answersAfterMs: number;
}

export const GOOD: Fate = {
  startsAfterMs: 50,
  endsAfterMs: null,
  exitCode: 0,
  stopsAfterMs: 200,
  healthy: true,
  answersAfterMs: 30,
};

/** An image with an updater: what its gates and programs answer. */
export interface Updater {
  readonly trial: boolean;
  readonly gate: (gate: UpdateGate, nowMs: number) => { readonly ok: boolean; readonly detail: string };
  readonly command: (command: string, nowMs: number) => { readonly code: number; readonly detail: string };
  /** Whether the configuration is still being carried out. */
  readonly provisioning?: (nowMs: number) => boolean;
}

export interface Step {
  readonly atMs: number;
  readonly event: Event;
}

export interface Trace {
  readonly memory: Memory;
  readonly actions: readonly { readonly atMs: number; readonly action: Action }[];
  readonly turns: number;
  readonly nowMs: number;
}

interface Pending {
  readonly atMs: number;
  readonly event: Event;
}

/** Runs until the given time; `fate` says how each run goes, `steps` what operators do. */
export function simulate(
  description: MachineDescription,
  fate: (service: string, run: number) => Fate,
  steps: readonly Step[],
  untilMs: number,
  problems: readonly string[] = [],
  updater?: Updater,
): Trace {
  let memory: Memory = {
    ...initialMemory(description, 0),
    problems,
    update: updater === undefined ? null : initialUpdate(updater.trial),
  };
  let nowMs = 0;
  let turns = 0;
  let pending: Pending[] = [...steps];
  const actions: { atMs: number; action: Action }[] = [];
  // Which run of a service has a process, so that it ends once.
  const alive = new Map<string, number>();

  const later = (delayMs: number, event: Event): void => void pending.push({ atMs: nowMs + delayMs, event });

  while (nowMs <= untilMs) {
    turns++;
    const provisioning = updater?.provisioning?.(nowMs) === true ? 'under way' : 'settled';
    if (memory.update !== null) memory = { ...memory, update: { ...memory.update, provisioning } };
    const planned = plan(description, memory, nowMs);
    memory = planned.memory;
    for (const action of planned.actions) {
      actions.push({ atMs: nowMs, action });
      act(action);
    }
    const next = Math.min(planned.wakeAtMs, ...pending.map(({ atMs }) => atMs));
    if (next > untilMs) break;
    if (next <= nowMs && planned.actions.length === 0 && !pending.some(({ atMs }) => atMs <= nowMs))
      throw new Error(`busy: asked to look again at ${next}, now is ${nowMs}`);
    nowMs = Math.max(nowMs, next);
    const due = pending.filter(({ atMs }) => atMs <= nowMs);
    pending = pending.filter(({ atMs }) => atMs > nowMs);
    for (const { event } of due) deliver(event);
  }
  return { memory, actions, turns, nowMs };

  function act(action: Action): void {
    if (action.kind === 'start') {
      const { service, run } = action;
      if (alive.has(service)) throw new Error(`${service} was started twice`);
      const own = fate(service, run);
      alive.set(service, run);
      if (own.startsAfterMs === null) return;
      later(own.startsAfterMs, { kind: 'started', service, run, atMs: nowMs + own.startsAfterMs });
      if (own.endsAfterMs === null) return;
      const atMs = nowMs + own.startsAfterMs + own.endsAfterMs;
      later(own.startsAfterMs + own.endsAfterMs, { kind: 'exited', service, run, code: own.exitCode, atMs });
    }
    if (action.kind === 'signal' || action.kind === 'kill') {
      const run = alive.get(action.service);
      if (run === undefined) return;
      const delay = action.kind === 'kill' ? 5 : fate(action.service, run).stopsAfterMs;
      if (delay === null) return;
      const code = action.kind === 'kill' ? 137 : 0;
      later(delay, { kind: 'exited', service: action.service, run, code, atMs: nowMs + delay });
    }
    actOnUpdate(action);
    if (action.kind === 'probe') {
      const own = fate(action.service, action.run);
      const { service, run } = action;
      later(own.answersAfterMs, {
        kind: 'probed',
        service,
        run,
        ok: own.healthy && nowMs < (own.breaksAtMs ?? Infinity),
        detail: own.healthy && nowMs < (own.breaksAtMs ?? Infinity) ? '' : 'no',
      });
    }
  }

  function actOnUpdate(action: Action): void {
    if (action.kind === 'update-gate' && updater !== undefined)
      later(900, { kind: 'gate-checked', gate: action.gate, ...updater.gate(action.gate, nowMs) });
    if (action.kind === 'switch' && updater !== undefined)
      later(500, { kind: 'switched', ...updater.command(action.command, nowMs) });
  }

  function deliver(event: Event): void {
    if (event.kind === 'exited') {
      if (alive.get(event.service) !== event.run) return;
      alive.delete(event.service);
    }
    if (event.kind === 'started' && alive.get(event.service) !== event.run) return;
    memory = hear(description, memory, event, nowMs);
  }
}
