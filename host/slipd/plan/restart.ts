/** What follows when a service's process has ended. */
import type { MachineService } from '../../../spec/machine.ts';
import type { ServiceMemory } from './memory.ts';

export const FIRST_DELAY_MS = 1_000;
export const LONGEST_DELAY_MS = 60_000;
/** A run this long was a good one: the back-off begins anew. */
export const GOOD_RUN_MS = 10_000;
/** From so many short runs in a row on, a service is called failing. */
export const FAILING_AFTER = 5;

/** The fields that change, whatever the exit was asked for or not. */
export function afterExit(
  service: MachineService,
  memory: ServiceMemory,
  exit: { readonly code: number; readonly atMs: number },
): Partial<ServiceMemory> {
  const wanted = memory.phase === 'stopping';
  const ended = {
    phase: 'down' as const,
    lastExit: { code: exit.code, atMs: exit.atMs, wanted, killed: memory.killedAtMs !== null },
    stoppingSinceMs: null,
    killedAtMs: null,
    restartWhenDown: false,
  };
  if (wanted) {
    const again = memory.restartWhenDown;
    return {
      ...ended,
      wanted: again,
      failures: 0,
      retries: 0,
      notBeforeMs: exit.atMs,
    };
  }
  const good = memory.startedAtMs !== null && exit.atMs - memory.startedAtMs >= GOOD_RUN_MS;
  const failures = good ? 1 : memory.failures + 1;
  const retries = memory.retries + 1;
  if (!mayRestart(service, exit.code, retries)) return { ...ended, wanted: false, failures: 0 };
  return {
    ...ended,
    failures,
    retries,
    restarts: memory.restarts + 1,
    notBeforeMs: exit.atMs + backOffMs(failures),
  };
}

/** 1 s, doubling up to a minute. */
export function backOffMs(failures: number): number {
  return Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(30, Math.max(0, failures - 1)));
}

/** Whether a service ends too soon, again and again; a good run takes the mark away. */
export function isFailing(memory: ServiceMemory, nowMs: number): boolean {
  if (memory.failures < FAILING_AFTER) return false;
  const runsWell =
    memory.phase === 'up' && memory.startedAtMs !== null && nowMs - memory.startedAtMs >= GOOD_RUN_MS;
  return !runsWell;
}

function mayRestart(service: MachineService, code: number, retries: number): boolean {
  if (service.type === 'onshutdown') return false;
  const { restart } = service;
  switch (restart.policy) {
    case 'no':
      return false;
    case 'on-failure':
      return code !== 0 && (restart.maxRetries === undefined || retries <= restart.maxRetries);
    case 'always':
    case 'unless-stopped':
      // A one-shot that did its work is done, whatever its policy says.
      return !(service.type === 'onboot' && code === 0);
  }
}
