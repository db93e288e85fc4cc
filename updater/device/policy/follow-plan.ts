/** What the machine does by itself now, when nobody gives orders. Pure. Unix times in seconds. */
import { rebootPolicy, type UpdateSettings } from '../../../spec/update.ts';
import type { Decision } from './decide.ts';
import { nextWindow, openWindow } from './windows.ts';

export interface FollowFacts {
  readonly settings: UpdateSettings;
  readonly decision: Decision;
  /** The running version has yet to prove itself. */
  readonly trial: boolean;
  /** A version that lies ready in the other slot. */
  readonly installed: string | undefined;
  /** A version that the next start of the machine tries: only the reboot is missing. */
  readonly switched: string | undefined;
  /** Versions that may not be fetched, as no delta fits and the whole is not wanted (failure 2). */
  readonly tooLarge: readonly string[];
  readonly now: number;
}

export type FollowAction =
  /** `until`: when to look again, if earlier than the next poll. */
  | { readonly kind: 'wait'; readonly why: WaitReason; readonly until?: number }
  | { readonly kind: 'install'; readonly version: string }
  /** What lies ready is switched to; the machine restarts. */
  | { readonly kind: 'switch'; readonly version: string }
  /** It was switched to, but the machine was not restarted. */
  | { readonly kind: 'reboot'; readonly version: string };

export type WaitReason =
  | 'disabled'
  | 'trial'
  | 'up-to-date'
  | 'not-due'
  | 'download-manual'
  | 'reboot-manual'
  | 'window'
  | 'too-large';

export function planFollow(facts: FollowFacts): FollowAction {
  const { settings, decision, installed, now } = facts;
  if (!settings.enabled) return { kind: 'wait', why: 'disabled' };
  if (facts.trial) return { kind: 'wait', why: 'trial' };
  const target = newestAllowed(facts);
  if (target === undefined) {
    const later = decision.next?.verdict;
    if (decision.target !== undefined) return { kind: 'wait', why: 'too-large' };
    return later?.kind === 'later'
      ? { kind: 'wait', why: 'not-due', until: later.dueAt }
      : { kind: 'wait', why: 'up-to-date' };
  }
  // The newest at the time: what lies ready never keeps a newer one out (failure 35).
  if (target === facts.switched) return whenAllowed({ kind: 'reboot', version: target });
  if (target === installed) return whenAllowed({ kind: 'switch', version: target });
  if (settings.download === 'manual') return { kind: 'wait', why: 'download-manual' };
  return { kind: 'install', version: target };

  function whenAllowed(action: FollowAction): FollowAction {
    const policy = rebootPolicy(settings);
    if (policy === 'manual') return { kind: 'wait', why: 'reboot-manual' };
    if (policy === 'auto' || openWindow(settings.windows, now) !== undefined) return action;
    const next = nextWindow(settings.windows, now);
    return { kind: 'wait', why: 'window', ...(next === undefined ? {} : { until: next.from }) };
  }
}

/** Whether the machine may restart now, by the reboot policy alone. */
export function mayReboot(settings: UpdateSettings, now: number): boolean {
  const policy = rebootPolicy(settings);
  return policy === 'auto' || (policy === 'window' && openWindow(settings.windows, now) !== undefined);
}

/** The newest that is due and not too large; what is here already costs nothing more. */
function newestAllowed({ decision, installed, switched, tooLarge }: FollowFacts): string | undefined {
  return decision.candidates
    .filter(({ verdict }) => verdict.kind === 'due')
    .map(({ entry }) => entry.version)
    .find((version) => version === installed || version === switched || !tooLarge.includes(version));
}
