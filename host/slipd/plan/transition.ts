/**
 * From the services that there are to those that there shall be, while everything runs: what is no longer wanted, or wanted otherwise,
 * stops first. Pure, and asked again on each turn until nothing is left to do.
 */
import type { MachineDescription, MachineService } from '../../../spec/machine.ts';
import { initialMemory, withService, type Memory } from './memory.ts';

export interface Transition {
  /** What is looked after now: those that have yet to stop are still in it. */
  readonly services: readonly MachineService[];
  readonly memory: Memory;
  /** Need a monitor, or their monitor a new run script. */
  readonly prepare: readonly MachineService[];
  /** Are down and gone. */
  readonly gone: readonly string[];
  /** Told to stop, and not down yet: while there are any, there is more to do. */
  readonly leaving: ReadonlySet<string>;
}

export function transition(
  current: readonly MachineService[],
  target: MachineDescription,
  remembered: Memory,
  before: ReadonlySet<string>,
  nowMs: number,
): Transition {
  const fresh = initialMemory(target, nowMs).services;
  const wanted = new Map(target.services.map((service) => [service.name, service]));
  const services: MachineService[] = [];
  const prepare: MachineService[] = [];
  const gone: string[] = [];
  let memory = remembered;
  const leaving = new Set<string>();
  for (const service of current) {
    const next = wanted.get(service.name);
    const own = memory.services[service.name];
    wanted.delete(service.name);
    if (next !== undefined && same(next, service)) {
      services.push(service);
      // Wanted again before it was down.
      if (before.has(service.name)) memory = withService(memory, service.name, { restartWhenDown: true });
    } else if (own !== undefined && own.phase !== 'down') {
      memory = withService(memory, service.name, { wanted: false, restartWhenDown: false });
      services.push(service);
      leaving.add(service.name);
    } else if (next === undefined) {
      memory = without(memory, service.name);
      gone.push(service.name);
    } else {
      // The numbers of its runs go on: a late word of an earlier one is known as such.
      memory = added(memory, { ...fresh[service.name]!, run: own?.run ?? 0 }, service.name);
      services.push(next);
      prepare.push(next);
    }
  }
  for (const service of wanted.values()) {
    memory = added(memory, memory.services[service.name] ?? fresh[service.name]!, service.name);
    services.push(service);
    prepare.push(service);
  }
  return { services, memory, prepare, gone, leaving };
}

function same(a: MachineService, b: MachineService): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

function added(memory: Memory, own: Memory['services'][string], name: string): Memory {
  return { ...memory, services: { ...memory.services, [name]: own } };
}

function without(memory: Memory, name: string): Memory {
  const { [name]: _, ...services } = memory.services;
  return { ...memory, services };
}
