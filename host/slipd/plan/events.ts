/** What one message changes in memory. Messages about services or runs that are not known are dropped. */
import type { MachineDescription } from '../../../spec/machine.ts';
import { afterCheck, startHealth } from './health.ts';
import { withService, NO_HEALTH, type Event, type Memory } from './memory.ts';
import { restartedWith } from './order.ts';
import { afterExit } from './restart.ts';
import { afterCommand, afterGate } from './update.ts';

export function hear(description: MachineDescription, memory: Memory, event: Event, nowMs: number): Memory {
  if (event.kind === 'shutdown') {
    return memory.shutdown === null
      ? { ...memory, shutdown: { action: event.action, sinceMs: nowMs, finished: false } }
      : memory;
  }
  if (event.kind === 'gate-checked')
    return memory.update === null ? memory : { ...memory, update: afterGate(memory.update, event, nowMs) };
  if (event.kind === 'switched')
    return memory.update === null ? memory : { ...memory, update: afterCommand(memory.update, event, nowMs) };
  const service = description.services.find((candidate) => candidate.name === event.service);
  const own = memory.services[event.service];
  if (service === undefined || own === undefined) return memory;
  switch (event.kind) {
    case 'started': {
      if (event.run !== own.run || own.phase !== 'starting') return memory;
      const health = startHealth(service.healthCheck, event.atMs);
      return withService(memory, service.name, { phase: 'up', startedAtMs: event.atMs, health });
    }
    case 'exited':
      if (event.run !== own.run || own.phase === 'down') return memory;
      return withService(memory, service.name, { ...afterExit(service, own, event), health: NO_HEALTH });
    case 'probed': {
      const current = event.run === own.run && own.phase === 'up' && own.health.checkingSinceMs !== null;
      if (!current || service.healthCheck === undefined) return memory;
      const health = afterCheck(own.health, service.healthCheck, event, own.startedAtMs ?? nowMs, nowMs);
      return withService(memory, service.name, { health });
    }
    case 'out-of-memory':
      return withService(memory, service.name, {
        outOfMemoryKills: own.outOfMemoryKills + 1,
        lastOutOfMemoryMs: event.atMs,
      });
    case 'start':
      if (memory.shutdown !== null) return memory;
      return withService(memory, service.name, {
        ...(own.phase === 'stopping' ? { restartWhenDown: true } : { wanted: true }),
        released: true,
        failures: 0,
        retries: 0,
        notBeforeMs: nowMs,
      });
    case 'stop':
      return withService(memory, service.name, { wanted: false, restartWhenDown: false });
    case 'restart':
      if (memory.shutdown !== null) return memory;
      return [service.name, ...restartedWith(description, service.name)].reduce(
        (changed, name) => restart(changed, name, name === service.name, nowMs),
        memory,
      );
  }
}

function restart(memory: Memory, name: string, asked: boolean, nowMs: number): Memory {
  const own = memory.services[name];
  if (own === undefined) return memory;
  if (own.phase === 'down') {
    // What was not running is started only when it was itself named.
    if (!asked && !own.wanted) return memory;
    return withService(memory, name, {
      wanted: true,
      released: own.released || asked,
      failures: 0,
      retries: 0,
      notBeforeMs: nowMs,
    });
  }
  return withService(memory, name, { wanted: false, restartWhenDown: true });
}
