/** Health checks: when the next one is due, and what a result means. */
import type { HealthCheck } from '../../../spec/machine.ts';
import { NO_HEALTH, type HealthMemory } from './memory.ts';

/**
 * A new container is asked this early, then again at doubling distances up to the start interval: a gate costs no more time than it
 * needs. Not earlier: a check that comes too soon takes from the services the time in which they would have started.
 */
export const FIRST_CHECK_MS = 250;
const FIRST_RETRY_MS = 100;
const LONGEST_EARLY_DELAY_MS = 5_000;
/** A check whose result does not come this long after its time limit is lost, and has failed. */
export const LOST_CHECK_MS = 10_000;

/** A container has just started. */
export function startHealth(check: HealthCheck | undefined, nowMs: number): HealthMemory {
  if (check === undefined) return NO_HEALTH;
  return {
    state: 'starting',
    failures: 0,
    nextAtMs: nowMs + Math.min(FIRST_CHECK_MS, check.intervalMs),
    checkingSinceMs: null,
    earlyDelayMs: FIRST_RETRY_MS,
    detail: null,
    provenAtMs: null,
  };
}

/** A check ended. `startedAtMs`: when the container started. */
export function afterCheck(
  health: HealthMemory,
  check: HealthCheck,
  result: { readonly ok: boolean; readonly detail: string },
  startedAtMs: number,
  nowMs: number,
): HealthMemory {
  const done = { ...health, checkingSinceMs: null };
  if (result.ok)
    return {
      ...done,
      state: 'healthy',
      failures: 0,
      nextAtMs: nowMs + check.intervalMs,
      detail: null,
      provenAtMs: health.checkingSinceMs ?? nowMs,
    };
  // Docker would not have asked before the first interval: until then, or within start_period, a failure does not count.
  const early = nowMs < startedAtMs + Math.max(check.startPeriodMs, check.intervalMs);
  if (health.state === 'starting' && early) {
    const longest = check.startPeriodMs > 0 ? check.startIntervalMs : LONGEST_EARLY_DELAY_MS;
    return {
      ...done,
      nextAtMs: nowMs + Math.min(health.earlyDelayMs, longest, check.intervalMs),
      earlyDelayMs: Math.min(health.earlyDelayMs * 2, Math.max(longest, FIRST_RETRY_MS)),
      detail: result.detail,
    };
  }
  const failures = health.failures + 1;
  return {
    ...done,
    state: failures >= Math.max(1, check.retries) ? 'unhealthy' : health.state,
    failures,
    nextAtMs: nowMs + check.intervalMs,
    detail: result.detail,
  };
}

/** Whether a check should have ended or begun long ago: the sign that slipd, or crun, does not get through. */
export function checkOverdue(health: HealthMemory, check: HealthCheck, nowMs: number): boolean {
  if (health.checkingSinceMs !== null)
    return nowMs > health.checkingSinceMs + check.timeoutMs + LOST_CHECK_MS;
  return health.nextAtMs !== null && nowMs > health.nextAtMs + LOST_CHECK_MS;
}
