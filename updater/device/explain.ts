/** Verdicts in words. */
import { formatDuration } from '../../system/format.ts';
import type { Context } from './context.ts';
import type { Candidate, Verdict } from './policy/decide.ts';
import type { FollowAction } from './policy/follow-plan.ts';

/** One line: whether this machine gets the release, when, and why or why not. */
export function explainVerdict(verdict: Verdict, now: number): string {
  switch (verdict.kind) {
    case 'due':
      return `due since ${formatTime(verdict.dueAt)}`;
    case 'later':
      return `due ${formatTime(verdict.dueAt)}, in ${formatDuration((verdict.dueAt - now) * 1000)}${verdict.slowed ? ' (the channel slows it)' : ''}`;
    case 'held':
      return 'held by an operator of this machine';
    case 'failed':
      return `failed here before: ${verdict.reason}`;
    case 'paused':
      return `paused: ${verdict.reason}`;
    case 'withdrawn':
      return `withdrawn: ${verdict.reason}`;
    case 'no-brake':
      return "the channel's brake is missing or has expired, and the release waits for one";
    case 'other-channel':
      return 'not on this channel';
    case 'not-newer':
      return 'not newer than what runs';
    case 'requires':
      return `needs what this version has not: ${verdict.features.join(', ')}`;
    case 'minimum-version':
      return `can be reached from ${verdict.version} on only`;
    case 'barrier':
      return `${verdict.version} comes first`;
  }
}

/** Where the machine stands in the roll-out, and why there. */
export function explainPosition({ position }: Candidate, { config }: Context): string {
  const { wave } = config.settings;
  const place = `at ${(position * 100).toFixed(1)} % of the machines`;
  return wave === 'normal' ? `${place}, by chance` : `${place}, by wave: ${String(wave)}`;
}

/** What the machine does by itself next. */
export function explainAction(action: FollowAction, now: number): string {
  if (action.kind === 'install') return `fetches and installs ${action.version}`;
  if (action.kind === 'switch') return `switches to ${action.version}, and restarts`;
  if (action.kind === 'reboot') return `restarts into ${action.version}`;
  switch (action.why) {
    case 'disabled':
      return 'nothing: `enabled` is false';
    case 'trial':
      return 'nothing until this version has proven itself';
    case 'up-to-date':
      return 'nothing: there is nothing newer for it';
    case 'not-due':
      return action.until === undefined ? 'waits' : `waits until ${formatTime(action.until)}`;
    case 'download-manual':
      return 'nothing: `download` is manual; slip update apply takes it';
    case 'reboot-manual':
      return 'nothing: it lies ready, and `reboot` is manual; slip update apply switches to it';
    case 'window':
      return action.until === undefined
        ? 'waits for a window, of which there is none'
        : `waits for the window that opens ${formatTime(action.until)}, in ${formatDuration((action.until - now) * 1000)}`;
    case 'too-large':
      return 'nothing: no delta fits, and full downloads have to be agreed to; slip update apply --yes-full takes it';
  }
}

/** `2026-01-31 12:00:00Z`. */
export function formatTime(unixSeconds: number): string {
  if (!Number.isFinite(unixSeconds)) return 'never';
  return `${new Date(unixSeconds * 1000).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
