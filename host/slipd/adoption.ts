/** A new slipd takes over what an earlier one of this boot left: its memory, and the containers that run on. */
import type { MachineDescription } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { isTrial } from './facts.ts';
import { monitorFacts } from './monitor.ts';
import { PATHS } from './paths.ts';
import { startHealth } from './plan/health.ts';
import { initialMemory, withService, type Memory } from './plan/memory.ts';
import { initialUpdate } from './plan/update.ts';
import { hasUpdater } from './update.ts';

/** What the last slipd remembered; a fresh memory at the first start of a boot, or when that cannot be read. */
export function loadMemory(system: System, description: MachineDescription): Memory {
  const fresh = initialMemory(description, system.uptimeMs());
  const text = system.readText(PATHS.memory);
  if (text === undefined) return fresh;
  try {
    const old = JSON.parse(text) as Memory;
    if ((old as { format: unknown }).format !== 1) return fresh;
    return { ...fresh, ...old, services: { ...fresh.services, ...old.services } };
  } catch {
    return fresh;
  }
}

/** The part of memory that follows a trial. What an earlier slipd had started is started again: nothing of it does harm twice. */
export function withUpdater(system: System, loaded: Memory): Memory {
  if (!hasUpdater(system)) return { ...loaded, update: null };
  const update = loaded.update ?? initialUpdate(isTrial(system));
  const { updater, network } = update.gates;
  const gates = {
    updater: { ...updater, checkingSinceMs: null },
    network: { ...network, checkingSinceMs: null },
  };
  return { ...loaded, update: { ...update, command: null, gates } };
}

/** Brings memory in line with the monitors: checks that were under way are asked again, runs that nobody remembers are taken on. */
export function adopt(system: System, description: MachineDescription, memory: Memory): Memory {
  let adopted = memory;
  for (const service of description.services) {
    const own = adopted.services[service.name];
    if (own === undefined) continue;
    const nowMs = system.uptimeMs();
    const facts = monitorFacts(system, service.name);
    if (own.health.checkingSinceMs !== null)
      adopted = withService(adopted, service.name, {
        health: { ...own.health, checkingSinceMs: null, nextAtMs: nowMs },
      });
    if (
      own.phase === 'down' &&
      facts.running &&
      facts.exit === null &&
      facts.run >= own.run &&
      facts.pid !== null
    )
      adopted = withService(adopted, service.name, {
        phase: 'up',
        run: facts.run,
        released: true,
        startedAtMs: own.startedAtMs ?? nowMs,
        health: startHealth(service.healthCheck, nowMs),
      });
  }
  return adopted;
}
