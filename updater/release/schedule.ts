/** When a machine may have a release: the release's curve, held back by the channel's brake. */
import { own } from '../../spec/own.ts';
import { fractionAt, timeAt } from './curve.ts';
import type { Brake, BrakeAction, ReleaseEntry, Rollout } from './document.ts';
import { releaseTargetName } from './names.ts';

export type Schedule =
  /** From `dueAt` (Unix time in seconds) on. `slowed`: without the brake it were earlier. */
  | { readonly kind: 'due'; readonly dueAt: number; readonly slowed: boolean }
  | { readonly kind: 'paused' | 'withdrawn'; readonly reason: string }
  /** It is not on this channel. */
  | { readonly kind: 'other-channel' }
  /** The channel's brake is missing, expired or unreadable, and the release says to wait then. */
  | { readonly kind: 'no-brake' };

/** For the machine at position `u` (see `position`) that follows `channel`. `brake` is the channel's; undefined when there is no valid one. */
export function scheduleOf(
  entry: ReleaseEntry,
  channel: string,
  brake: Brake | undefined,
  u: number,
): Schedule {
  const rollout = rolloutOn(entry, channel);
  if (rollout === undefined) return { kind: 'other-channel' };
  if (entry.withdrawn !== undefined) return { kind: 'withdrawn', reason: entry.withdrawn };
  if (brake === undefined && entry.withoutBrake === 'hold') return { kind: 'no-brake' };
  const actions = actionsOn(entry, brake);
  for (const kind of ['withdraw', 'pause'] as const) {
    const stop = actions.find((action) => action.action === kind);
    if (stop !== undefined && stop.action !== 'slow')
      return { kind: kind === 'pause' ? 'paused' : 'withdrawn', reason: stop.reason };
  }
  const own = rollout.startsAt + timeAt(rollout.curve, u);
  const dueAt = Math.max(own, ...actions.flatMap((action) => slowedUntil(action, u)));
  return { kind: 'due', dueAt, slowed: dueAt > own };
}

/** The fraction of machines that may have it at a Unix time in seconds: the lower of curve and brake. */
export function fractionDue(
  entry: ReleaseEntry,
  channel: string,
  brake: Brake | undefined,
  unixSeconds: number,
): number {
  const rollout = rolloutOn(entry, channel);
  if (rollout === undefined) return 0;
  if (entry.withdrawn !== undefined || (brake === undefined && entry.withoutBrake === 'hold')) return 0;
  const allowed = actionsOn(entry, brake).map((action) =>
    action.action === 'slow' ? fractionAt(action.curve, unixSeconds - action.startsAt) : 0,
  );
  return Math.min(fractionAt(rollout.curve, unixSeconds - rollout.startsAt), ...allowed);
}

function rolloutOn(entry: ReleaseEntry, channel: string): Rollout | undefined {
  return own(entry.channels, channel);
}

function actionsOn(entry: ReleaseEntry, brake: Brake | undefined): readonly BrakeAction[] {
  const releases = brake?.releases ?? {};
  return [releaseTargetName(entry), '*'].flatMap((name) => own(releases, name) ?? []);
}

function slowedUntil(action: BrakeAction, u: number): readonly number[] {
  return action.action === 'slow' ? [action.startsAt + timeAt(action.curve, u)] : [];
}
