/**
 * The whole of slipd's judgement: from the description, its memory and the time to what is to be done now and when to look again.
 * Pure, and level-triggered: the same memory at a later time gives what is due by then, however often or seldom it is asked.
 */
import type { MachineDescription, MachineService } from '../../../spec/machine.ts';
import { judgeBoot, nextVerdictMs, unprovenGates } from './gates.ts';
import { afterCheck, LOST_CHECK_MS } from './health.ts';
import { NO_HEALTH, withService, type Action, type Memory, type ServiceMemory } from './memory.ts';
import { blockedBy } from './order.ts';
import { GOOD_RUN_MS } from './restart.ts';
import { planShutdown } from './shutdown.ts';
import { nextUpdateMs, planUpdate } from './update.ts';

/** A start that gives neither a container nor an exit within this time is ended by force. */
export const START_LIMIT_MS = 120_000;
/** Killing is tried again this often: a process in an uninterruptible wait dies when it can. */
export const KILL_AGAIN_MS = 5_000;
/** How soon a gate of a version on trial is asked again after a bad answer. */
const TRIAL_RETRY_MS = 3_000;

export interface Plan {
  readonly memory: Memory;
  readonly actions: readonly Action[];
  /** Look again at this uptime at the latest. */
  readonly wakeAtMs: number;
}

export function plan(description: MachineDescription, remembered: Memory, nowMs: number): Plan {
  const actions: Action[] = [];
  let memory = remembered;
  if (memory.shutdown !== null) memory = planShutdown(description, memory, actions, nowMs);
  memory = hastenChecks(description, memory, nowMs);
  for (const service of description.services) {
    const own = memory.services[service.name];
    if (own === undefined) continue;
    memory = withService(memory, service.name, planService(service, own, memory, actions, nowMs));
  }
  memory = { ...memory, boot: judgeBoot(description, memory, nowMs) };
  memory = planUpdate(description, memory, actions, nowMs);
  memory = report(memory, actions);
  return { memory, actions, wakeAtMs: nextLook(description, memory, nowMs) };
}

function planService(
  service: MachineService,
  own: ServiceMemory,
  memory: Memory,
  actions: Action[],
  nowMs: number,
): Partial<ServiceMemory> {
  const { name } = service;
  switch (own.phase) {
    case 'down': {
      if (!own.wanted || nowMs < own.notBeforeMs) return {};
      if (!own.released && blockedBy(service, memory, nowMs) !== null) return {};
      const run = own.run + 1;
      actions.push({ kind: 'start', service: name, run });
      return {
        phase: 'starting',
        released: true,
        run,
        startedAtMs: nowMs,
        health: NO_HEALTH,
        killedAtMs: null,
      };
    }
    case 'starting':
    case 'up': {
      if (!own.wanted) {
        actions.push({ kind: 'signal', service: name, signal: service.stopSignal });
        return { phase: 'stopping', stoppingSinceMs: nowMs, health: { ...own.health, nextAtMs: null } };
      }
      if (own.phase === 'starting')
        return killIfLate(name, own, (own.startedAtMs ?? nowMs) + START_LIMIT_MS, actions, nowMs);
      return planHealth(service, own, actions, nowMs);
    }
    case 'stopping':
      return killIfLate(name, own, (own.stoppingSinceMs ?? nowMs) + service.stopGraceMs, actions, nowMs);
  }
}

function killIfLate(
  service: string,
  own: ServiceMemory,
  limitMs: number,
  actions: Action[],
  nowMs: number,
): Partial<ServiceMemory> {
  const dueMs = own.killedAtMs === null ? limitMs : own.killedAtMs + KILL_AGAIN_MS;
  if (nowMs < dueMs) return {};
  actions.push({ kind: 'kill', service });
  return { killedAtMs: nowMs };
}

function planHealth(
  service: MachineService,
  own: ServiceMemory,
  actions: Action[],
  nowMs: number,
): Partial<ServiceMemory> {
  const check = service.healthCheck;
  if (check === undefined) return forgetFailures(own, nowMs);
  let { health } = own;
  if (health.checkingSinceMs !== null && nowMs >= health.checkingSinceMs + check.timeoutMs + LOST_CHECK_MS) {
    health = afterCheck(
      health,
      check,
      { ok: false, detail: 'the check was lost' },
      own.startedAtMs ?? nowMs,
      nowMs,
    );
  }
  if (health.checkingSinceMs === null && health.nextAtMs !== null && nowMs >= health.nextAtMs) {
    actions.push({ kind: 'probe', service: service.name, run: own.run });
    health = { ...health, checkingSinceMs: nowMs, nextAtMs: null };
  }
  return { health, ...forgetFailures(own, nowMs) };
}

/** A trial waits for its checks: gates are asked once more after the soak time, and soon again after a bad answer. */
function hastenChecks(description: MachineDescription, remembered: Memory, nowMs: number): Memory {
  if (remembered.update?.phase !== 'trying') return remembered;
  const since = remembered.boot.gatesHealthySinceMs;
  const soaked = since !== null && nowMs >= since + description.gateSoakMs;
  const unproven = soaked ? unprovenGates(description, remembered, since) : [];
  let memory = remembered;
  for (const { name, gate } of description.services) {
    const own = memory.services[name];
    if (!gate || own?.phase !== 'up' || own.health.nextAtMs === null) continue;
    const dueMs = unproven.includes(name)
      ? nowMs
      : own.health.failures > 0
        ? nowMs + TRIAL_RETRY_MS
        : Infinity;
    if (dueMs < own.health.nextAtMs)
      memory = withService(memory, name, { health: { ...own.health, nextAtMs: dueMs } });
  }
  return memory;
}

function forgetFailures(own: ServiceMemory, nowMs: number): Partial<ServiceMemory> {
  const good = own.startedAtMs !== null && nowMs - own.startedAtMs >= GOOD_RUN_MS;
  return good && own.failures > 0 ? { failures: 0, retries: 0 } : {};
}

function report(memory: Memory, actions: Action[]): Memory {
  const { boot } = memory;
  if (memory.shutdown !== null) return memory;
  const due = boot.verdict === 'starting' ? 'started' : boot.verdict;
  if (due === boot.reported) return memory;
  actions.push({ kind: 'report', event: due });
  return { ...memory, boot: { ...boot, reported: due } };
}

function nextLook(description: MachineDescription, memory: Memory, nowMs: number): number {
  let wakeAtMs = Math.min(nextVerdictMs(description, memory.boot, nowMs), nextUpdateMs(memory, nowMs));
  const consider = (atMs: number | null): void => {
    if (atMs !== null && atMs < wakeAtMs) wakeAtMs = atMs;
  };
  for (const service of description.services) {
    const own = memory.services[service.name];
    if (own === undefined) continue;
    const kill = own.killedAtMs === null ? null : own.killedAtMs + KILL_AGAIN_MS;
    if (own.phase === 'down' && own.wanted && own.notBeforeMs > nowMs) consider(own.notBeforeMs);
    if (own.phase === 'starting') consider(kill ?? (own.startedAtMs ?? nowMs) + START_LIMIT_MS);
    if (own.phase === 'stopping') consider(kill ?? (own.stoppingSinceMs ?? nowMs) + service.stopGraceMs);
    if (own.phase !== 'up') continue;
    consider(own.health.nextAtMs);
    if (own.failures > 0) consider((own.startedAtMs ?? nowMs) + GOOD_RUN_MS);
    if (own.health.checkingSinceMs !== null && service.healthCheck !== undefined)
      consider(own.health.checkingSinceMs + service.healthCheck.timeoutMs + LOST_CHECK_MS);
  }
  if (memory.shutdown !== null && !memory.shutdown.finished) consider(nowMs + 1_000);
  return wakeAtMs;
}
