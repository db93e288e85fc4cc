/** From what a monitor shows to what happened; and what to do about a monitor that is lost, or lost an order. */
import type { Event, ServiceMemory } from './memory.ts';

export interface MonitorFacts {
  /** runsv is there. */
  readonly alive: boolean;
  /** The run script, crun in its place, or the finish script is there. */
  readonly running: boolean;
  /** The run that was ordered last. */
  readonly run: number;
  /** The container's first process; `null` until crun has started it. */
  readonly pid: number | null;
  readonly exit: { readonly code: number; readonly atMs: number } | null;
}

export interface Observation {
  readonly events: readonly Event[];
  /** `start`: order the run (again). `revive`: kill what is left of it and start a new monitor. */
  readonly remedy: 'none' | 'start' | 'revive';
  /** Since when it has shown neither a process nor an exit; to be handed in again. */
  readonly silentSinceMs: number | null;
}

/** A process must show, or its exit be told, within this time. */
export const SILENCE_MS = 3_000;
/** What is told of a run whose end nobody saw. */
export const UNKNOWN_EXIT = 255;

export function observe(
  service: string,
  own: ServiceMemory,
  facts: MonitorFacts,
  silentSinceMs: number | null,
  nowMs: number,
): Observation {
  const nothing: Observation = { events: [], remedy: 'none', silentSinceMs: null };
  if (own.phase === 'down') return nothing;
  const { run } = own;
  if (facts.run === run && facts.exit !== null) {
    const { code, atMs } = facts.exit;
    // A container that came and went between two looks was up all the same.
    const started: Event[] =
      facts.pid === null ? [] : [{ kind: 'started', service, run, atMs: own.startedAtMs ?? nowMs }];
    return { ...nothing, events: [...started, { kind: 'exited', service, run, code, atMs }] };
  }
  const silentFor = (ms: number): boolean => silentSinceMs !== null && nowMs - silentSinceMs >= ms;
  const silent: Observation = { ...nothing, silentSinceMs: silentSinceMs ?? nowMs };
  if (!facts.alive) return silentFor(SILENCE_MS) ? { ...nothing, remedy: 'revive' } : silent;
  if (facts.run !== run) return { ...nothing, remedy: 'start' };
  if (facts.running) {
    const up = facts.pid !== null && own.phase === 'starting';
    return up ? { ...nothing, events: [{ kind: 'started', service, run, atMs: nowMs }] } : nothing;
  }
  if (!silentFor(SILENCE_MS)) return silent;
  // The order was lost with the slipd that gave it, or its end could not be written down.
  return facts.pid === null && own.phase === 'starting'
    ? { ...nothing, remedy: 'start' }
    : { ...nothing, events: [{ kind: 'exited', service, run, code: UNKNOWN_EXIT, atMs: nowMs }] };
}
