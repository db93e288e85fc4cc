/** Asking until there is an answer, within one budget of time for everything: metadata services start late, throttle, and are slow. */
import { SlipwayError } from '../../../../spec/error.ts';
import type { System } from '../../../../system/system.ts';
import { DOCUMENT_LIMIT_BYTES } from '../files.ts';
import type { Budget } from '../found.ts';
import type { HttpAnswer } from './answer.ts';
import { exchange, type HttpProgram, type HttpRequest } from './exchange.ts';
import { resolveUrl } from './url.ts';

export interface HttpClient {
  /** One try. Throws `http.*`; the status is the caller's to judge. */
  readonly once: (request: HttpRequest, timeoutMs?: number) => Promise<HttpAnswer>;
  /** The answer, once it is none that may pass by itself. Throws `provision.unreachable` when the budget is spent. */
  readonly persist: (request: HttpRequest, alsoRetry?: readonly number[]) => Promise<HttpAnswer>;
  /** The body; `undefined` where the server has none (404). Throws `provision.refused` for every other answer. */
  readonly get: (url: string, headers?: Readonly<Record<string, string>>) => Promise<Uint8Array | undefined>;
  /** What a user named: as `get`, but follows redirections, never from https to http. */
  readonly follow: (url: string) => Promise<Uint8Array | undefined>;
  readonly pause: (delayMs: number) => Promise<void>;
  readonly remainingMs: () => number;
}

/** For one answer. Metadata services of booting machines were seen to take several seconds. */
const TIMEOUT_MS = 10_000;
const CONNECT_MS = 3_000;
/** 100 ms, 200, ... 5 s, as Ignition (docs/operator-notes.md). */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
const LONGEST_RETRY_AFTER_MS = 30_000;
/** Too early, too many requests; and every 5xx. */
const PASSING = [408, 425, 429];
/** Faults of `exchange` that another try may not have. */
const PASSING_FAULTS = ['http.unreachable', 'http.slow', 'http.broken'];
const REDIRECTIONS = [301, 302, 303, 307, 308];
const MOST_REDIRECTIONS = 5;

export function createHttpClient(system: System, budget: Budget, program?: HttpProgram): HttpClient {
  const remainingMs = (): number => budget.endsAtMs - system.uptimeMs();
  const pause = (delayMs: number): Promise<void> =>
    new Promise((resolve) => void system.after(Math.max(0, Math.min(delayMs, remainingMs())), resolve));

  async function once(request: HttpRequest, timeoutMs = TIMEOUT_MS): Promise<HttpAnswer> {
    const leftMs = Math.min(timeoutMs, remainingMs());
    if (leftMs <= 0) throw spent(request.url, undefined);
    const limits = {
      bodyBytes: DOCUMENT_LIMIT_BYTES,
      timeoutMs: leftMs,
      connectMs: Math.min(CONNECT_MS, leftMs),
    };
    return exchange(system, request, limits, program);
  }

  async function persist(request: HttpRequest, alsoRetry: readonly number[] = []): Promise<HttpAnswer> {
    let last: SlipwayError | undefined;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      if (remainingMs() <= 0) throw spent(request.url, last);
      let waitMs = pauseMs;
      try {
        const answer = await once(request);
        const { status } = answer;
        if (status < 500 && !PASSING.includes(status) && !alsoRetry.includes(status)) return answer;
        last = new SlipwayError('http.status', `the server answered ${status}`);
        waitMs = Math.max(waitMs, retryAfterMs(answer));
      } catch (error) {
        if (!(error instanceof SlipwayError) || !PASSING_FAULTS.includes(error.code)) throw error;
        last = error;
      }
      await pause(waitMs);
    }
  }

  async function get(
    url: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Uint8Array | undefined> {
    return bodyOf(url, await persist({ method: 'GET', url, headers }));
  }

  async function follow(url: string): Promise<Uint8Array | undefined> {
    let next = url;
    for (let count = 0; count <= MOST_REDIRECTIONS; count++) {
      const answer = await persist({ method: 'GET', url: next });
      const location = answer.headers.get('location');
      if (!REDIRECTIONS.includes(answer.status) || location === undefined) return bodyOf(next, answer);
      const target = resolveUrl(next, location);
      if (next.startsWith('https:') && !target.startsWith('https:'))
        throw new SlipwayError('provision.refused', `${next} sends on to http, without protection`);
      next = target;
    }
    throw new SlipwayError('provision.refused', `${url} sends on again and again`);
  }

  return { once, persist, get, follow, pause, remainingMs };
}

function bodyOf(url: string, { status, body }: HttpAnswer): Uint8Array | undefined {
  if (status === 200) return body;
  if (status === 404) return undefined;
  throw refused(url, status);
}

export function refused(url: string, status: number, hint?: string): SlipwayError {
  return new SlipwayError(
    'provision.refused',
    `${url} answered ${status}`,
    hint === undefined ? {} : { hint },
  );
}

function spent(url: string, cause: SlipwayError | undefined): SlipwayError {
  const why = cause === undefined ? '' : `: ${cause.message}`;
  return new SlipwayError('provision.unreachable', `${url} did not answer in time${why}`, {
    hint: 'is the network up, and is this the platform that the machine runs on?',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** In seconds; a date is not worth a clock that may be wrong. */
export function retryAfterMs({ headers }: HttpAnswer): number {
  const text = headers.get('retry-after') ?? '';
  return /^\d{1,4}$/.test(text) ? Math.min(Number(text) * 1000, LONGEST_RETRY_AFTER_MS) : 0;
}
