/** How long what is published stays valid, and when to worry (failure 39: a timestamp that nobody signed anew stops a whole fleet). */
import type { TufKeys } from '../keys/load.ts';
import { parseRoot } from '../tuf/root.ts';
import type { RepositoryState } from './state.ts';

export interface Expiry {
  readonly role: string;
  readonly expires: Date;
  readonly state: 'valid' | 'soon' | 'expired';
}

const DAY_MS = 86_400_000;
/** A root is renewed by people who meet; everything else has been signed too late when a quarter of its time is left. */
const ROOT_WARNING_DAYS = 90;
const WARNING_SHARE = 0.25;

/** Soonest first. */
export function expiries(state: RepositoryState, keys: TufKeys, now = new Date()): readonly Expiry[] {
  const { validDays } = state.settings;
  const root = keys.rootChain.find(({ version }) => version === state.rootVersion);
  const all: Expiry[] = [];
  const add = (role: string, expires: Date | undefined, warningDays: number): void => {
    if (expires === undefined) return;
    const leftMs = expires.getTime() - now.getTime();
    all.push({
      role,
      expires,
      state: leftMs <= 0 ? 'expired' : leftMs < warningDays * DAY_MS ? 'soon' : 'valid',
    });
  };
  add('root', root === undefined ? undefined : parseRoot(root.bytes, 'root').expires, ROOT_WARNING_DAYS);
  add('targets', state.targets?.expires, validDays.targets * WARNING_SHARE);
  for (const [channel, file] of state.rollouts)
    add(`rollout-${channel}`, file.expires, validDays.rollout * WARNING_SHARE);
  add('snapshot', state.snapshot?.expires, validDays.snapshot * WARNING_SHARE);
  add('timestamp', state.timestamp?.expires, validDays.timestamp * WARNING_SHARE);
  return all.sort((a, b) => a.expires.getTime() - b.expires.getTime());
}
