/** How one step went. */

export interface StepResult {
  readonly state: 'applied' | 'ignored' | 'failed' | 'pending';
  /** In one line, without secrets; `null`: there is nothing to say. */
  readonly reason: string | null;
  /** Whether anything on the machine is other than before. */
  readonly changed: boolean;
  /** Services that read what has changed as they start. */
  readonly restart: readonly string[];
}

export function done(
  changed: boolean,
  reason: string | null = null,
  restart: readonly string[] = [],
): StepResult {
  return { state: 'applied', reason, changed, restart: changed ? restart : [] };
}

export function failed(reason: string): StepResult {
  return { state: 'failed', reason, changed: false, restart: [] };
}

/** Linux's numbers, as far as they mean something to people. */
const REASONS: Readonly<Record<number, string>> = {
  2: 'a directory on the way is missing',
  13: 'it is not allowed',
  17: 'somebody made something there meanwhile',
  20: 'something on the way is no directory',
  28: 'there is no space left',
  30: 'the file system is read-only',
  36: 'the name is too long',
  40: 'it is a symbolic link, and none is followed',
  122: 'the quota is used up',
};

/** Of a negative number that `System.open` returned. */
export function reasonOf(error: number): string {
  return REASONS[-error] ?? `error ${-error}`;
}
