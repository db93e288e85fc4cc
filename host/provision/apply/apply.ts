/**
 * Carries a plan out, through System alone. Every step can be applied again: it looks first, and does only what is missing. A step that
 * fails keeps no other from being done: the machine must be reachable whatever else is wrong with its configuration.
 */
import type { KeyStatus, ProvisionedMachine } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import type { ConfigPlan, FileAction, Phase, Step, Verdict } from '../plan/step.ts';
import type { HttpClient } from '../source/http/client.ts';
import { applyAccounts } from './accounts.ts';
import { applyFiles } from './files.ts';
import { applyMessage, applyPhoneHome, applyPower, type PowerWish } from './finish.ts';
import { applyHostKeys } from './host-keys.ts';
import { marksOf } from './marks.ts';
import { done, failed, type StepResult } from './result.ts';
import { applyScript } from './script.ts';
import {
  applyCertificates,
  applyHostname,
  applyRuntimeFile,
  applySeed,
  removeForgotten,
} from './settings.ts';
import { statusOf } from './status.ts';

export interface ApplyContext {
  /** Of the plan: others are `pending`, unless `before` has them. */
  readonly phases: readonly Phase[];
  /** Phases that were applied already: nothing is told of them. */
  readonly before?: readonly Phase[];
  /** Without one, what is fetched cannot be. */
  readonly http?: HttpClient;
  /** Does `services:` (host/provision/services/); each verdict is of the key `services`. */
  readonly services?: () => Promise<{ readonly verdicts: readonly Verdict[]; readonly changed: boolean }>;
  /** Of the image, for `final_message`. */
  readonly version: string;
}

export interface Applied {
  readonly keys: readonly KeyStatus[];
  /** What slipd lays over the signed description. */
  readonly machine: Pick<ProvisionedMachine, 'hostname' | 'users' | 'groups'>;
  /** Whether anything is other than before. */
  readonly changed: boolean;
  /** Services that have to be started again, where they run already, to see what has changed. */
  readonly restart: readonly string[];
  /** What `power_state` asks for. */
  readonly power: PowerWish | null;
}

export async function applyPlan(system: System, plan: ConfigPlan, context: ApplyContext): Promise<Applied> {
  const verdicts: Verdict[] = [...plan.verdicts];
  const restart = new Set<string>();
  const ofInstance = marksOf(system, plan.instanceId);
  const scripts = { instanceId: plan.instanceId, memoryBytes: memoryBytes(system) };
  let machine: Applied['machine'] = { users: [], groups: [] };
  let power: PowerWish | null = null;
  let changed = false;

  const take = (step: Step, result: StepResult): void => {
    verdicts.push({ key: step.key, at: step.at, state: result.state, reason: result.reason });
    if (step.kind === 'accounts')
      for (const { key, at } of step.keys.slice(1))
        verdicts.push({ key, at, state: result.state, reason: result.reason });
    changed ||= result.changed;
    for (const service of result.restart) restart.add(service);
  };

  if (context.phases.includes('state')) {
    const gone = removeForgotten(system, plan.steps);
    changed = gone.changed;
    for (const service of gone.restart) restart.add(service);
  }
  let index = 0;
  while (index < plan.steps.length) {
    const step = plan.steps[index]!;
    const batch = batchAt(plan.steps, index);
    index += batch.length;
    if (context.before?.includes(step.phase) === true) continue;
    if (!context.phases.includes(step.phase)) {
      for (const one of batch)
        verdicts.push({ key: one.key, at: one.at, state: 'pending', reason: WAITING[one.phase] });
      continue;
    }
    try {
      if (step.kind === 'file') {
        const files = batch as readonly (Step & FileAction)[];
        const results = await applyFiles(system, files, context.http);
        for (const [place, result] of results.entries()) take(batch[place]!, result);
      } else take(step, await applyStep(step));
    } catch (error) {
      for (const one of batch) take(one, failed(messageOf(error)));
    }
  }
  return { keys: statusOf(verdicts), machine, changed, restart: [...restart].sort(), power };

  async function applyStep(step: Exclude<Step, FileAction>): Promise<StepResult> {
    switch (step.kind) {
      case 'accounts': {
        const applied = await applyAccounts(system, step, context.http, context.phases.includes('online'));
        verdicts.push(...applied.verdicts);
        machine = { ...machine, users: applied.users, groups: applied.groups };
        return applied.result;
      }
      case 'hostname':
        machine = { ...machine, hostname: step.name };
        return applyHostname(system, step);
      case 'runtime-file':
        return applyRuntimeFile(system, step);
      case 'certificates':
        return applyCertificates(system, step);
      case 'host-keys':
        return applyHostKeys(system, step, ofInstance);
      case 'random-seed':
        return applySeed(system, step);
      case 'partition-table':
        return (await import('./table.ts')).applyTable(system, step);
      case 'format':
        return (await import('./format.ts')).applyFormat(system, step);
      case 'mount':
        return (await import('./mount.ts')).applyMount(system, step);
      case 'swap':
        return (await import('./swap.ts')).applySwap(system, step);
      case 'script':
        return applyScript(system, step, scripts);
      case 'services': {
        if (context.services === undefined)
          return failed('this machine starts no services of a configuration');
        const { verdicts: own, changed: other } = await context.services();
        verdicts.push(...own);
        return done(other);
      }
      case 'phone-home':
        return applyPhoneHome(system, step, ofInstance, context.http);
      case 'message':
        return applyMessage(system, step, ofInstance, context.version);
      case 'power': {
        const { wish, ...result } = await applyPower(system, step, ofInstance, scripts);
        power = wish ?? null;
        return result;
      }
    }
  }
}

const WAITING: Readonly<Record<Phase, string>> = {
  early: 'at the next boot',
  state: 'at the next boot',
  online: 'when there is a network',
  final: 'when the services have started',
};

/** Files that stand next to each other are written together: programs are dear. */
function batchAt(steps: readonly Step[], from: number): readonly Step[] {
  const first = steps[from]!;
  if (first.kind !== 'file') return [first];
  let to = from + 1;
  while (steps[to]?.kind === 'file' && steps[to]?.phase === first.phase) to += 1;
  return steps.slice(from, to);
}

function memoryBytes(system: System): number {
  const [, kib = '262144'] = /^MemTotal:\s+(\d+) kB/m.exec(system.readText('/proc/meminfo') ?? '') ?? [];
  return Number(kib) * 1024;
}

/** Our own words: nothing that is thrown below holds what a document said. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
