/** A new slipd takes over what an earlier one of this boot left: its memory, and the containers that run on. */
import type { MachineDescription } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { monitorFacts } from './monitor.ts';
import { PATHS } from './paths.ts';
import { startHealth } from './plan/health.ts';
import { initialMemory, withService, type Memory } from './plan/memory.ts';

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
