/**
 * A version on trial: kept once every gate was healthy for the soak time, given up when one fails or the deadline passes. What that does to the disk is the
 * work of switch.js; here is decided when it starts. Pure, as all of plan/.
 */
import type { MachineDescription, MachineService } from '../../../spec/machine.ts';
import { badGates, badUpdateGates, PROVISIONING_PATIENCE_MS, UPDATE_GATES } from './gates.ts';
import type { Action, Memory, ServiceMemory, UpdateGate, UpdateMemory } from './memory.ts';
import { hasCompleted } from './order.ts';
import { isFailing } from './restart.ts';

/** A gate that was bad for so long will not be good soon. */
export const PATIENCE_MS = 15_000;
/** Not infinite: memory is kept as JSON. */
const NEVER = Number.MAX_SAFE_INTEGER;
const GATE_AGAIN_MS = 5_000;
const COMMAND_AGAIN_MS = 10_000;
/** A program that has not ended by then is taken for lost. */
const COMMAND_LIMIT_MS = 150_000;
/** In a boot that is no trial nothing is urgent: the services have the processor first. */
const QUIET_MS = 5_000;
/** Exit code of `switch.js fail`: there is nothing to return to, or this machine returned before. */
const STAY = 3;

export function initialUpdate(trial: boolean): UpdateMemory {
  const gate = { state: 'unknown', detail: null, checkingSinceMs: null, nextAtMs: 0 } as const;
  return {
    phase: trial ? 'trying' : 'committed',
    reason: null,
    command: null,
    commandSinceMs: 0,
    nextAtMs: 0,
    reconciled: false,
    badSinceMs: null,
    gates: { updater: gate, network: gate },
    provisioning: 'settled',
  };
}

/** What is to be started now. */
export function planUpdate(
  description: MachineDescription,
  memory: Memory,
  actions: Action[],
  nowMs: number,
): Memory {
  const { boot, shutdown } = memory;
  if (memory.update === null || shutdown !== null) return memory;
  let update = judge(description, memory, memory.update, nowMs);
  const servicesGood = boot.gatesHealthySinceMs !== null;
  if (update.phase === 'trying' && servicesGood) update = planGates(update, actions, nowMs);
  const command =
    update.command === null && nowMs >= update.nextAtMs ? nextCommand(update, memory, nowMs) : null;
  if (command !== null) {
    actions.push({ kind: 'switch', command, reason: update.reason ?? '' });
    update = { ...update, command, commandSinceMs: nowMs };
  }
  return { ...memory, update };
}

export function afterGate(
  update: UpdateMemory,
  event: { readonly gate: UpdateGate; readonly ok: boolean; readonly detail: string },
  nowMs: number,
): UpdateMemory {
  const gate = {
    state: event.ok ? ('healthy' as const) : ('unhealthy' as const),
    detail: event.ok ? null : event.detail,
    checkingSinceMs: null,
    nextAtMs: event.ok ? NEVER : nowMs + GATE_AGAIN_MS,
  };
  return { ...update, gates: { ...update.gates, [event.gate]: gate } };
}

export function afterCommand(
  update: UpdateMemory,
  event: { readonly code: number; readonly detail: string },
  nowMs: number,
): UpdateMemory {
  const ended = { ...update, command: null, nextAtMs: 0 };
  const again = { ...ended, nextAtMs: nowMs + COMMAND_AGAIN_MS };
  switch (update.command) {
    case 'boot':
      return { ...ended, reconciled: true };
    case 'confirm':
      return event.code === 0
        ? // What follows a commit is done by the same program that compares the record.
          { ...ended, phase: 'committed', reason: null, reconciled: false }
        : { ...again, reason: `it cannot be committed: ${event.detail}` };
    case 'fail':
      // Otherwise the machine restarts; whatever went wrong with writing it down, each start costs the version a try.
      return event.code === STAY
        ? { ...ended, phase: 'kept', reason: event.detail }
        : { ...ended, nextAtMs: NEVER };
    case 'retry':
    case null:
      return ended;
  }
}

/** When something may be due by itself. */
export function nextUpdateMs(memory: Memory, nowMs: number): number {
  const { update, boot } = memory;
  if (update === null || memory.shutdown !== null) return NEVER;
  const times = [
    update.command === null ? update.nextAtMs : update.commandSinceMs + COMMAND_LIMIT_MS,
    update.badSinceMs === null ? NEVER : update.badSinceMs + PATIENCE_MS,
    update.provisioning === 'settled' ? NEVER : boot.sinceMs + PROVISIONING_PATIENCE_MS,
    ...UPDATE_GATES.map((gate) =>
      update.phase === 'trying' && boot.gatesHealthySinceMs !== null ? update.gates[gate].nextAtMs : NEVER,
    ),
    update.reconciled || boot.gatesHealthySinceMs === null ? NEVER : boot.gatesHealthySinceMs + QUIET_MS,
  ];
  return Math.min(...times.filter((time) => time > nowMs), NEVER);
}

function judge(
  description: MachineDescription,
  memory: Memory,
  update: UpdateMemory,
  nowMs: number,
): UpdateMemory {
  const lost = update.command !== null && nowMs >= update.commandSinceMs + COMMAND_LIMIT_MS;
  const known = lost ? { ...update, command: null } : update;
  if (known.phase !== 'trying') return known;
  if (memory.boot.verdict === 'healthy') return { ...known, phase: 'confirming' };
  const bad = description.services.filter((service) => service.gate && isBad(service, memory, nowMs));
  // An updater that is broken stays so, and so does what the boot scripts and provisioning found; a network may only be late.
  const broken = known.gates.updater.state === 'unhealthy' || memory.problems.length > 0;
  const badSinceMs = bad.length === 0 && !broken ? null : (known.badSinceMs ?? nowMs);
  const failing = bad.some(({ name }) => isFailing(memory.services[name]!, nowMs));
  if (
    memory.boot.verdict === 'degraded' ||
    failing ||
    (badSinceMs !== null && nowMs >= badSinceMs + PATIENCE_MS)
  )
    return { ...known, badSinceMs, phase: 'giving-up', reason: whyNot(description, memory, known, nowMs) };
  return { ...known, badSinceMs };
}

/** Not only late: it has failed. */
function isBad(service: MachineService, memory: Memory, nowMs: number): boolean {
  const own: ServiceMemory | undefined = memory.services[service.name];
  if (own === undefined || service.type === 'onshutdown') return false;
  const ended = own.phase === 'down' && !own.wanted && own.run > 0 && !hasCompleted(own);
  return ended || isFailing(own, nowMs) || (own.phase === 'up' && own.health.state === 'unhealthy');
}

function whyNot(
  description: MachineDescription,
  memory: Memory,
  update: UpdateMemory,
  nowMs: number,
): string {
  const services = badGates(description, memory, nowMs).map((name) => {
    const detail = memory.services[name]?.health.detail;
    return `gate ${name} is not healthy${detail === null || detail === undefined ? '' : `: ${detail}`}`;
  });
  const own = badUpdateGates(update).map(
    (gate) => `gate ${gate} is not healthy: ${update.gates[gate].detail ?? 'it gave no answer'}`,
  );
  const all = [...memory.problems, ...services, ...(services.length === 0 ? own : [])];
  return all[0] ?? 'it was not healthy in time';
}

function planGates(update: UpdateMemory, actions: Action[], nowMs: number): UpdateMemory {
  let { gates } = update;
  for (const gate of UPDATE_GATES) {
    const own = gates[gate];
    const lost = own.checkingSinceMs !== null && nowMs >= own.checkingSinceMs + COMMAND_LIMIT_MS;
    if ((own.checkingSinceMs !== null && !lost) || nowMs < own.nextAtMs) continue;
    actions.push({ kind: 'update-gate', gate });
    gates = { ...gates, [gate]: { ...own, checkingSinceMs: nowMs } };
  }
  return { ...update, gates };
}

function nextCommand(update: UpdateMemory, { boot }: Memory, nowMs: number): UpdateMemory['command'] {
  if (update.phase === 'giving-up') return 'fail';
  if (update.phase === 'confirming') return 'confirm';
  const since = boot.gatesHealthySinceMs;
  const settled = boot.verdict === 'degraded' || (since !== null && nowMs >= since + QUIET_MS);
  return !update.reconciled && settled ? 'boot' : null;
}
