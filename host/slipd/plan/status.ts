/** What `slip status` shows, from memory and what the machine says of itself. */
import type {
  MachineDescription,
  MachineService,
  MachineStatus,
  ServiceState,
  ServiceStatus,
  UpdateStatus,
} from '../../../spec/machine.ts';
import { signalName } from '../../../system/signals.ts';
import { badGates } from './gates.ts';
import type { Memory, ServiceMemory } from './memory.ts';
import { blockedBy, hasCompleted } from './order.ts';
import { isFailing } from './restart.ts';

export interface MachineFacts {
  readonly rootHash: string;
  readonly slot: MachineStatus['slot'];
  readonly watchdog: MachineStatus['watchdog'];
  readonly memory: MachineStatus['memory'];
  readonly update?: UpdateStatus;
  /** What the boot scripts have to say beside problems. */
  readonly notes: readonly string[];
  readonly services: Readonly<
    Record<string, { readonly pid: number | null; readonly memoryBytes: number | null }>
  >;
}

export function machineStatus(
  description: MachineDescription,
  memory: Memory,
  facts: MachineFacts,
  nowMs: number,
): MachineStatus {
  const gates = badGates(description, memory, nowMs).map((name) => {
    const service = description.services.find((candidate) => candidate.name === name)!;
    const status = serviceStatus(service, memory, facts, nowMs);
    return `gate ${name} is not healthy: ${status.reason ?? status.state}`;
  });
  return {
    format: '1.0',
    image: description.image,
    rootHash: facts.rootHash,
    slot: facts.slot,
    boot: memory.boot.verdict,
    gatesHealthySinceMs: round(memory.boot.gatesHealthySinceMs),
    problems: [...memory.problems, ...facts.notes, ...(memory.boot.verdict === 'starting' ? [] : gates)],
    watchdog: facts.watchdog,
    uptimeMs: Math.round(nowMs),
    memory: facts.memory,
    services: description.services.map((service) => serviceStatus(service, memory, facts, nowMs)),
    ...(facts.update === undefined ? {} : { update: facts.update }),
  };
}

function serviceStatus(
  service: MachineService,
  memory: Memory,
  facts: MachineFacts,
  nowMs: number,
): ServiceStatus {
  const own = memory.services[service.name]!;
  const running = own.phase === 'up' || own.phase === 'stopping';
  return {
    name: service.name,
    type: service.type,
    gate: service.gate,
    state: serviceState(own, nowMs),
    health: own.health.state,
    restarts: own.restarts,
    exitCode: own.lastExit?.code ?? null,
    pid: running ? (facts.services[service.name]?.pid ?? null) : null,
    memoryBytes: running ? (facts.services[service.name]?.memoryBytes ?? null) : null,
    uptimeMs: own.phase === 'up' && own.startedAtMs !== null ? Math.round(nowMs - own.startedAtMs) : null,
    reason: reason(service, own, memory, nowMs),
  };
}

export function serviceState(own: ServiceMemory, nowMs: number): ServiceState {
  if (own.phase === 'stopping') return 'stopping';
  if (isFailing(own, nowMs)) return 'failing';
  if (own.phase === 'up') return 'running';
  if (own.phase === 'starting') return 'starting';
  if (hasCompleted(own)) return 'completed';
  if (!own.wanted) return 'stopped';
  return own.notBeforeMs > nowMs ? 'backoff' : 'waiting';
}

function reason(service: MachineService, own: ServiceMemory, memory: Memory, nowMs: number): string | null {
  const parts: string[] = [];
  const exit = own.lastExit;
  const outOfMemory = own.outOfMemoryKills > 0 && (own.lastOutOfMemoryMs ?? 0) >= (exit?.atMs ?? 0) - 5_000;
  if (own.phase === 'stopping')
    parts.push(own.killedAtMs === null ? 'asked to stop' : 'did not stop in time, being killed');
  if (own.phase === 'up' && own.health.state === 'unhealthy')
    parts.push(`unhealthy: ${own.health.detail ?? 'its check fails'}`);
  if (own.phase === 'up' && own.health.state === 'starting' && own.health.detail !== null)
    parts.push(`not healthy yet: ${own.health.detail}`);
  if (own.phase !== 'up' || isFailing(own, nowMs)) {
    if (exit !== null && !(exit.code === 0 && hasCompleted(own))) parts.push(exitPhrase(exit));
    if (own.failures > 1) parts.push(`${own.failures} short runs in a row`);
    if (own.phase === 'down' && own.wanted && own.notBeforeMs > nowMs)
      parts.push(`next start in ${Math.ceil((own.notBeforeMs - nowMs) / 1000)} s`);
  }
  if (outOfMemory)
    parts.push(`out of memory, ${own.outOfMemoryKills} ${own.outOfMemoryKills === 1 ? 'kill' : 'kills'}`);
  if (own.phase === 'down' && own.wanted && !own.released) {
    const blocked = blockedBy(service, memory, nowMs);
    if (blocked !== null) parts.push(blocked);
  }
  return parts.length === 0 ? null : parts.join('; ');
}

function exitPhrase(exit: NonNullable<ServiceMemory['lastExit']>): string {
  if (exit.wanted) return exit.killed ? 'stopped; had to be killed' : 'stopped';
  if (exit.code > 128) return `ended by ${signalName(exit.code - 128)}`;
  return `exit code ${exit.code}`;
}

function round(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
