/** When to look again: spread over the machines, sooner after a failure, then ever later. Unix times in seconds. */

const FIRST_RETRY_S = 60;
const LONGEST_RETRY_S = 3600;

export interface PollFacts {
  readonly now: number;
  readonly pollMs: number;
  /** Failed tries since the last that succeeded. */
  readonly failures: number;
  /** 0 to 1, by chance. */
  readonly chance: number;
  /** Something falls due at this time: a release, a window. */
  readonly until?: number;
}

/** From half to one and a half of the period, so that machines that started together drift apart; never later than what falls due. */
export function nextPoll({ now, pollMs, failures, chance, until }: PollFacts): number {
  const period = pollMs / 1000;
  const first = Math.min(period, FIRST_RETRY_S);
  const wait =
    failures === 0
      ? period
      : Math.min(first * 2 ** Math.min(failures - 1, 30), Math.max(period, LONGEST_RETRY_S));
  const poll = now + Math.max(1, wait * (0.5 + chance));
  // A second later, so that it has fallen due by then.
  return Math.ceil(until === undefined || until < now ? poll : Math.min(poll, until + 1));
}
