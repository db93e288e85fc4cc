/** When `slip start`, `stop`, `restart` have their answer. */
import type { MachineDescription } from '../../../spec/machine.ts';
import type { Memory } from '../plan/memory.ts';
import { hasCompleted } from '../plan/order.ts';
import { isFailing } from '../plan/restart.ts';

export interface Settled {
  readonly service: string;
  readonly wanted: 'running' | 'stopped';
  readonly limitMs: number;
  /** The service's run when it was asked. */
  readonly fromRun: number;
  readonly done: (ok: boolean, message: string) => void;
}

/** `undefined`: not yet. */
export function settled(
  description: MachineDescription,
  memory: Memory,
  waiter: Omit<Settled, 'done'>,
  nowMs: number,
): { readonly ok: boolean; readonly message: string } | undefined {
  const { service: name, wanted } = waiter;
  const service = description.services.find((candidate) => candidate.name === name);
  const own = memory.services[name];
  if (service === undefined || own === undefined) return { ok: false, message: `${name} is not known` };
  const late = nowMs >= waiter.limitMs;
  if (wanted === 'stopped') {
    if (own.phase === 'down' && !own.wanted)
      return {
        ok: true,
        message: `${name} is stopped${own.lastExit?.killed === true ? ' (it had to be killed)' : ''}`,
      };
    return late ? { ok: false, message: `${name} has not stopped yet` } : undefined;
  }
  if (own.phase === 'up' && own.wanted && own.health.state !== 'starting') {
    if (own.health.state === 'unhealthy')
      return { ok: false, message: `${name} runs, but is unhealthy: ${own.health.detail ?? ''}` };
    return { ok: true, message: `${name} is running` };
  }
  if (own.run > waiter.fromRun && own.phase === 'down') {
    if (hasCompleted(own)) return { ok: true, message: `${name} has completed` };
    return { ok: false, message: `${name} ended at once with exit code ${own.lastExit?.code ?? '?'}` };
  }
  if (isFailing(own, nowMs)) return { ok: false, message: `${name} is failing` };
  return late ? { ok: false, message: `${name} has not started yet` } : undefined;
}
