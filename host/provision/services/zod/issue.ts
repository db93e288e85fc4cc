/** What is wrong, while it is being found, and as others see it. */

export interface Issue {
  readonly code: string;
  readonly path?: (string | number)[];
  readonly message?: string;
  /** Whether what follows may run all the same. */
  readonly continue?: boolean;
  readonly input?: unknown;
  readonly told?: Told | undefined;
  readonly [detail: string]: unknown;
}
export interface Payload {
  value: unknown;
  issues: Issue[];
  aborted?: boolean;
}
export type Told = (issue: { readonly input: unknown }) => string;

export function isAborted({ aborted, issues }: Payload): boolean {
  return aborted === true || issues.some((issue) => issue.continue !== true);
}

export function misfit(payload: Payload, expected: string, told?: Told): Payload {
  payload.issues.push({ code: 'invalid_type', expected, input: payload.value, told });
  return payload;
}

export function below(step: string | number, issues: readonly Issue[]): Issue[] {
  return issues.map((issue) => ({ ...issue, path: [step, ...(issue.path ?? [])] }));
}

/** As others see it. */
export function finished({ input, continue: _continue, told, ...issue }: Issue): object {
  const message = issue.message ?? told?.({ input }) ?? standardMessage(issue, input);
  return { ...issue, path: issue.path ?? [], message };
}

/** zod's own words, where somebody reads them. */
function standardMessage(issue: Issue, input: unknown): string {
  switch (issue.code) {
    case 'invalid_type':
      return `Invalid input: expected ${String(issue['expected'])}, received ${nameOf(input)}`;
    case 'invalid_format':
      return `Invalid string: must match pattern ${String(issue['pattern'])}`;
    case 'too_small':
    case 'too_big': {
      const [word, sign, limit] =
        issue.code === 'too_small' ? ['small', '>', issue['minimum']] : ['big', '<', issue['maximum']];
      const unit = { string: ' characters', array: ' items' }[String(issue['origin'])] ?? '';
      const mark = issue['inclusive'] === true ? `${sign}=` : sign;
      return `Too ${word}: expected ${String(issue['origin'])} to ${unit === '' ? 'be' : 'have'} ${mark}${String(limit)}${unit}`;
    }
    default:
      return 'Invalid input';
  }
}

function nameOf(input: unknown): string {
  if (input === null) return 'null';
  return Array.isArray(input) ? 'array' : Number.isNaN(input) ? 'NaN' : typeof input;
}
