/** What the policy of following goes by, out of a look and what is remembered. */
import type { Context } from './context.ts';
import type { FollowMemory } from './follow-memory.ts';
import type { Look } from './look.ts';
import type { FollowFacts } from './policy/follow-plan.ts';

export function followFacts(context: Context, { view, record }: Look, memory: FollowMemory): FollowFacts {
  const { running, config } = context;
  const { attempt, trial } = record;
  return {
    settings: config.settings,
    decision: view.decision,
    trial: running.trial,
    installed: attempt?.stage === 'installed' ? attempt.version : undefined,
    switched: trial !== null && trial.rootHash !== running.rootHash ? trial.version : undefined,
    tooLarge: Object.keys(memory.passedOver),
    now: view.facts.now,
  };
}
