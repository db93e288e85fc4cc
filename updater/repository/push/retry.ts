/** Networks fail for a moment: what failed is tried again, later each time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SlipwayError } from '../../../spec/error.ts';

export interface Patience {
  readonly attempts: number;
  /** Pause after the first failure; twice as long after each further one. */
  readonly baseMs: number;
}

export const PATIENCE: Patience = { attempts: 6, baseMs: 500 };

/** A place that says for how long it wants to be left alone. */
export class BusyError extends Error {
  readonly waitMs: number;

  constructor(message: string, waitMs: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

/** Throws `push.failed` after the last attempt; at once what no repetition heals (`push.*`, a full or read-only disk). */
export async function retry<T>(
  what: string,
  { attempts, baseMs }: Patience,
  note: (text: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (isFinal(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      if (attempt === attempts)
        throw new SlipwayError('push.failed', `${what}: ${message}`, {
          hint: 'run the same command again: what is there already is not sent twice',
          cause: error,
        });
      // Spread, so that parallel uploads do not knock together again.
      const backOffMs = baseMs * 2 ** (attempt - 1) * (0.75 + Math.random() / 2);
      const waitMs = Math.max(backOffMs, error instanceof BusyError ? error.waitMs : 0);
      note(`${what}: ${firstLine(message)}; again in ${(waitMs / 1000).toFixed(1)} s`);
      await sleep(waitMs);
    }
  }
}

const FINAL_SYSTEM_ERRORS = ['EACCES', 'EPERM', 'EROFS', 'ENOSPC', 'EDQUOT', 'ENOTDIR', 'ENOENT'];

function isFinal(error: unknown): boolean {
  if (error instanceof SlipwayError) return error.code.startsWith('push.');
  return error instanceof Error && 'syscall' in error && 'code' in error
    ? FINAL_SYSTEM_ERRORS.includes(String(error.code))
    : false;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
