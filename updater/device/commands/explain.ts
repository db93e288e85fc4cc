/** `explain`: which version this machine gets, when, and why; and why not the others. */
import { formatTable } from '../../../system/format.ts';
import type { Command } from '../command.ts';
import type { Context } from '../context.ts';
import { explainAction, explainPosition, explainVerdict, formatTime } from '../explain.ts';
import { followFacts } from '../following.ts';
import { readFollowMemory } from '../follow-memory.ts';
import { lookAnyhow, type Look } from '../look.ts';
import { planFollow } from '../policy/follow-plan.ts';

export const explainCommand: Command = {
  name: 'explain',
  synopsis: '',
  summary: 'which version this machine gets, when, and why',
  flags: [],
  words: [0, 0],
  run: async (context) => {
    const look = await lookAnyhow(context, undefined);
    const { view, stale } = look;
    const { decision, facts, listing } = view;
    const action = planFollow(followFacts(context, look, readFollowMemory(context.system)));
    const rows = [
      [
        'machine',
        `${context.running.image} ${context.running.version} (${context.running.architecture}), host ${context.hostId}`,
      ],
      ['channel', `${facts.channel}: ${describeBrake(view.brake)}`],
      [
        'time',
        `${formatTime(facts.now)}${view.timestampExpired ? ', and the metadata have expired: nothing new starts' : ''}`,
      ],
      ...(stale === undefined ? [] : [['offline', `these are stored metadata: ${stale.message}`]]),
      ['does next', explainAction(action, facts.now)],
      ...runningWithdrawn(context, look),
      ...decision.candidates.map((one) => [
        one.entry.version,
        `${explainVerdict(one.verdict, facts.now)}${timed(one.verdict.kind) ? ` (${explainPosition(one, context)})` : ''}`,
      ]),
      ...listing.unreadable.map(({ name, reason }) => [name, `is passed over: ${reason}`]),
    ];
    context.output.result(formatTable(rows), {
      running: context.running.version,
      channel: facts.channel,
      brake: view.brake,
      now: facts.now,
      expired: view.timestampExpired,
      offline: stale === undefined ? null : stale.message,
      action,
      target: decision.target?.entry.version ?? null,
      candidates: decision.candidates.map((one) => ({
        version: one.entry.version,
        position: one.position,
        verdict: one.verdict,
      })),
      unreadable: listing.unreadable,
    });
    return 0;
  },
};

function timed(kind: string): boolean {
  return kind === 'due' || kind === 'later';
}

function describeBrake(brake: Look['view']['brake']): string {
  return brake === 'valid' ? 'its brake is in force' : `its brake is ${brake}`;
}

/** It goes on running: a brake can only hold back. But whoever asks should know. */
function runningWithdrawn({ running }: Context, { view }: Look): string[][] {
  const own = view.facts.entries.find(({ version }) => version === running.version);
  return own?.withdrawn === undefined ? [] : [['beware', `what runs was withdrawn: ${own.withdrawn}`]];
}
