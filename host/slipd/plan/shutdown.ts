/** The way down: one-shots of the shutdown first, then everything else against the order of its start, in parallel where it can be. */
import type { MachineDescription, MachineService } from '../../../spec/machine.ts';
import { withService, type Action, type Memory } from './memory.ts';
import { runningDependants } from './order.ts';

/** However a service clings to life, the machine is down by then. */
export const SHUTDOWN_LIMIT_MS = 180_000;

/** Sets who is wanted; the rest follows from that. Emits `power` once, when all is down. */
export function planShutdown(
  description: MachineDescription,
  remembered: Memory,
  actions: Action[],
  nowMs: number,
): Memory {
  let memory = remembered;
  const { shutdown } = memory;
  if (shutdown === null || shutdown.finished) return memory;
  const late = nowMs >= shutdown.sinceMs + SHUTDOWN_LIMIT_MS;

  for (const service of description.services) {
    const own = memory.services[service.name];
    if (own === undefined) continue;
    // What has not begun shall not begin; nothing comes back.
    if (service.type !== 'onshutdown' && own.phase === 'down' && own.wanted)
      memory = withService(memory, service.name, { wanted: false });
    if (own.restartWhenDown) memory = withService(memory, service.name, { restartWhenDown: false });
  }

  const oneShots = description.services.filter((service) => service.type === 'onshutdown');
  for (const service of oneShots) {
    const own = memory.services[service.name];
    if (own?.phase === 'down' && own.run === 0 && !late)
      memory = withService(memory, service.name, {
        wanted: true,
        released: oneShotReleased(service, oneShots, memory),
      });
    // Their stop grace is also their time limit: a shutdown does not wait for ever.
    if (own?.phase === 'up' && own.startedAtMs !== null && nowMs >= own.startedAtMs + service.stopGraceMs)
      memory = withService(memory, service.name, { wanted: false });
  }
  const oneShotsDone = oneShots.every((service) => {
    const own = memory.services[service.name];
    return own === undefined || (own.phase === 'down' && own.run > 0);
  });

  let allDown = oneShotsDone;
  if (oneShotsDone || late) {
    for (const service of description.services) {
      const own = memory.services[service.name];
      if (own === undefined || own.phase === 'down') continue;
      allDown = false;
      if (own.wanted && runningDependants(description, memory, service.name).length === 0)
        memory = withService(memory, service.name, { wanted: false });
    }
  }
  if (!allDown && !late) return memory;
  actions.push({ kind: 'power', action: shutdown.action });
  return { ...memory, shutdown: { ...shutdown, finished: true } };
}

/** At the shutdown only other one-shots are waited for, and only until they ended: the services run already, or never will. */
function oneShotReleased(
  service: MachineService,
  oneShots: readonly MachineService[],
  memory: Memory,
): boolean {
  return service.dependsOn.every((dependency) => {
    if (!oneShots.some((other) => other.name === dependency.service)) return true;
    const other = memory.services[dependency.service];
    return other === undefined || (other.run > 0 && other.phase === 'down');
  });
}
