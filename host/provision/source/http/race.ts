/** Services that have several addresses: which of them this machine can reach, is known only by asking. */
import { SlipwayError } from '../../../../spec/error.ts';
import type { HttpAnswer } from './answer.ts';
import { retryAfterMs, type HttpClient } from './client.ts';
import type { HttpRequest } from './exchange.ts';

/** For one address, so that the next one has its turn. Doubled each round: an overloaded service is slow. */
const FIRST_TIMEOUT_MS = 2_000;
const LONGEST_TIMEOUT_MS = 10_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

export interface Reached {
  readonly base: string;
  readonly answer: HttpAnswer;
}

/** Takes turns until one answers with something that is no passing trouble. Throws `provision.unreachable` when the budget is spent. */
export async function firstToAnswer(
  http: HttpClient,
  bases: readonly string[],
  request: (base: string) => HttpRequest,
): Promise<Reached> {
  let last = '';
  let pauseMs = FIRST_PAUSE_MS;
  for (let timeoutMs = FIRST_TIMEOUT_MS; ; timeoutMs = Math.min(timeoutMs * 2, LONGEST_TIMEOUT_MS)) {
    for (const base of bases) {
      if (http.remainingMs() <= 0)
        throw new SlipwayError(
          'provision.unreachable',
          `${bases.join(' and ')} did not answer in time${last}`,
          {
            hint: 'is the network up, and is this the platform that the machine runs on?',
          },
        );
      try {
        const answer = await http.once(request(base), timeoutMs);
        if (answer.status < 500 && answer.status !== 429) return { base, answer };
        last = `: it answered ${answer.status}`;
        pauseMs = Math.max(pauseMs, retryAfterMs(answer));
      } catch (error) {
        if (!(error instanceof SlipwayError) || ['http.url', 'http.too-large'].includes(error.code))
          throw error;
        if (error.code !== 'provision.unreachable') last = `: ${error.message}`;
      }
    }
    await http.pause(pauseMs);
    pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
  }
}
