/** Whether this boot is a good one. */
import type { MachineDescription, MachineService } from '../../../spec/machine.ts';
import type { BootMemory, Memory, UpdateGate, UpdateMemory } from './memory.ts';
import { hasCompleted } from './order.ts';
import { isFailing } from './restart.ts';

/** A boot whose gates are not all healthy by then is degraded. */
export const BOOT_DEADLINE_MS = 300_000;

/** A version on trial is not kept while its configuration is still being carried out; but no server that is away may keep it from being kept. */
export const PROVISIONING_PATIENCE_MS = 240_000;

/** Names of the gates that are not healthy now. */
export function badGates(description: MachineDescription, memory: Memory, nowMs: number): readonly string[] {
  return description.services
    .filter((service) => service.gate && service.type !== 'onshutdown' && !isGood(service, memory, nowMs))
    .map((service) => service.name);
}

export const UPDATE_GATES: readonly UpdateGate[] = ['updater', 'network'];

/** Names of the gates of the update that are not healthy; only a trial has them. */
export function badUpdateGates(update: UpdateMemory | null): readonly UpdateGate[] {
  return update?.phase === 'trying'
    ? UPDATE_GATES.filter((gate) => update.gates[gate].state !== 'healthy')
    : [];
}

/**
 * Gates of a trial that have yet to pass a check that began after the soak time: a check may have a long interval, and what it said at the
 * start says nothing of what came of the service since.
 */
export function unprovenGates(
  description: MachineDescription,
  memory: Memory,
  healthySinceMs: number | null,
): readonly string[] {
  if (memory.update?.phase !== 'trying') return [];
  const soakedMs = (healthySinceMs ?? Infinity) + description.gateSoakMs;
  return description.services
    .filter(({ gate, type, healthCheck }) => gate && type === 'service' && healthCheck !== undefined)
    .filter(({ name }) => (memory.services[name]?.health.provenAtMs ?? -1) < soakedMs)
    .map(({ name }) => name);
}

/** The verdict after this instant. */
export function judgeBoot(description: MachineDescription, memory: Memory, nowMs: number): BootMemory {
  const { boot } = memory;
  if (memory.shutdown !== null) return boot;
  const good = badGates(description, memory, nowMs).length === 0;
  // What the boot scripts found (a tampered command line, lost state) can never become a good boot.
  const sound = memory.problems.length === 0;
  const since = good ? (boot.gatesHealthySinceMs ?? nowMs) : null;
  const soaked = since !== null && nowMs - since >= description.gateSoakMs;
  const provisioned =
    memory.update?.phase !== 'trying' ||
    memory.update.provisioning === 'settled' ||
    nowMs >= boot.sinceMs + PROVISIONING_PATIENCE_MS;
  const complete =
    provisioned &&
    badUpdateGates(memory.update).length === 0 &&
    unprovenGates(description, memory, since).length === 0;
  if (soaked && sound && complete) return { ...boot, gatesHealthySinceMs: since, verdict: 'healthy' };
  const bad = !good || !sound || !complete;
  const late = nowMs >= boot.sinceMs + BOOT_DEADLINE_MS;
  const verdict =
    boot.verdict === 'healthy' && bad
      ? 'degraded'
      : boot.verdict === 'starting' && bad && late
        ? 'degraded'
        : boot.verdict;
  return { ...boot, gatesHealthySinceMs: since, verdict };
}

/** When the verdict may change by itself. */
export function nextVerdictMs(description: MachineDescription, boot: BootMemory, nowMs: number): number {
  if (boot.verdict !== 'healthy' && boot.gatesHealthySinceMs !== null) {
    const soaked = boot.gatesHealthySinceMs + description.gateSoakMs;
    if (soaked > nowMs) return soaked;
  }
  const deadline = boot.sinceMs + BOOT_DEADLINE_MS;
  return boot.verdict === 'starting' && nowMs < deadline ? deadline : Infinity;
}

function isGood(service: MachineService, memory: Memory, nowMs: number): boolean {
  const own = memory.services[service.name];
  if (own === undefined) return false;
  if (service.type === 'onboot') return hasCompleted(own);
  if (own.phase !== 'up' || isFailing(own, nowMs)) return false;
  // In a trial one bad check is one too many: the soak time begins anew.
  const flawless = memory.update?.phase !== 'trying' || own.health.failures === 0;
  return service.healthCheck === undefined || (own.health.state === 'healthy' && flawless);
}
