/** What all schemas have, and those that stand around another one. */
import { finished, isAborted, type Issue, type Payload } from './issue.ts';

export interface Check {
  /** Also after a fault, wherever there is a length. */
  readonly always?: (value: unknown) => boolean;
  readonly find: (value: unknown) => Issue | undefined;
}
export type Context = { readonly addIssue: (issue: Issue) => void };
export type Result = { success: true; data: unknown } | { success: false; error: { issues: object[] } };
/** How an absent key counts. */
export type Absent = 'defaulted' | 'optional' | undefined;

export abstract class ZodType {
  private checks: readonly Check[] = [];
  readonly absentIn: Absent = undefined;
  readonly absentOut: Absent = undefined;

  protected abstract parse(payload: Payload): Payload;

  run(value: unknown, issues: Issue[] = []): Payload {
    const payload = this.parse({ value, issues });
    let stopped = isAborted(payload);
    for (const { always, find } of this.checks) {
      const runs =
        always === undefined
          ? !stopped
          : payload.aborted !== true &&
            payload.issues.every((issue) => issue.continue !== false) &&
            always(payload.value);
      const issue = runs ? find(payload.value) : undefined;
      if (issue === undefined) continue;
      payload.issues.push(issue);
      stopped ||= issue.continue !== true;
    }
    return payload;
  }

  safeParse(value: unknown): Result {
    const payload = this.run(value);
    return payload.issues.length === 0
      ? { success: true, data: payload.value }
      : { success: false, error: { issues: payload.issues.map(finished) } };
  }

  protected with(check: Check): this {
    const copy = Object.assign(Object.create(Object.getPrototypeOf(this) as object) as this, this);
    copy.checks = [...this.checks, check];
    return copy;
  }

  refine(holds: (value: never) => unknown, said: string | { readonly message: string }): this {
    const message = typeof said === 'string' ? said : said.message;
    return this.with({
      find: (value) =>
        holds(value as never) ? undefined : { code: 'custom', path: [], continue: true, message },
    });
  }
  transform(change: (value: never, context: Context) => unknown): ZodPipe {
    return new ZodPipe(this, change);
  }
  optional(): ZodOptional {
    return new ZodOptional(this);
  }
  nullish(): ZodOptional {
    return new ZodOptional(new ZodNullable(this));
  }
  default(value: unknown): ZodDefault {
    return new ZodDefault(this, value);
  }
  prefault(value: unknown): ZodPrefault {
    return new ZodPrefault(this, value);
  }
  describe(_text: string): this {
    return this;
  }
  meta(_data: object): this {
    return this;
  }
}

export class ZodPipe extends ZodType {
  readonly in: ZodType;
  override readonly absentIn: Absent;
  constructor(
    before: ZodType,
    private readonly change: (value: never, context: Context) => unknown,
  ) {
    super();
    this.in = before;
    this.absentIn = before.absentIn;
  }
  protected parse({ value, issues }: Payload): Payload {
    const left = this.in.run(value, issues);
    if (left.issues.some(({ code }) => code !== 'unrecognized_keys')) {
      left.aborted = true;
      return left;
    }
    const addIssue = (issue: Issue): void => void left.issues.push({ ...issue });
    return { value: this.change(left.value as never, { addIssue }), issues: left.issues };
  }
}

abstract class Wrapper extends ZodType {
  override readonly absentIn: Absent;
  override readonly absentOut: Absent;
  constructor(protected readonly inner: ZodType) {
    super();
    this.absentIn = inner.absentIn;
    this.absentOut = inner.absentOut;
  }
  unwrap(): ZodType {
    return this.inner;
  }
}

export class ZodNullable extends Wrapper {
  protected parse(payload: Payload): Payload {
    return payload.value === null ? payload : this.inner.run(payload.value, payload.issues);
  }
}

export class ZodOptional extends Wrapper {
  override readonly absentIn: Absent = this.inner.absentIn === 'defaulted' ? 'defaulted' : 'optional';
  override readonly absentOut: Absent = 'optional';
  protected parse(payload: Payload): Payload {
    if (payload.value !== undefined) return this.inner.run(payload.value, payload.issues);
    if (this.inner.absentIn !== 'defaulted') return payload;
    const { value, issues } = this.inner.run(undefined);
    payload.value = issues.length > 0 ? undefined : value;
    return payload;
  }
}

abstract class Substitute extends Wrapper {
  override readonly absentIn: Absent = 'defaulted';
  override readonly absentOut: Absent = undefined;
  constructor(
    inner: ZodType,
    protected readonly value: unknown,
  ) {
    super(inner);
  }
}

/** What it stands for is taken as it is. */
export class ZodDefault extends Substitute {
  protected parse(payload: Payload): Payload {
    const result = payload.value === undefined ? payload : this.inner.run(payload.value, payload.issues);
    if (result.value === undefined) result.value = this.value;
    return result;
  }
}

/** What it stands for is parsed as if it had been written. */
export class ZodPrefault extends Substitute {
  protected parse({ value, issues }: Payload): Payload {
    return this.inner.run(value === undefined ? this.value : value, issues);
  }
}

/** In no schema of the machine's programs; spec/shape.ts asks for it. */
export class ZodLazy extends Wrapper {
  protected parse({ value, issues }: Payload): Payload {
    return this.inner.run(value, issues);
  }
}
