/**
 * What stands in for npm's `zod` (4.6) in services.js: the part of it that the schemas of services and of OCI documents use, with the same values and
 * the same issues (test/host/provision/services/zod.test.ts compares both). 7 kB for the machine to load in place of 98, and no code made at run time.
 */

interface Issue {
  readonly code: string;
  readonly path?: (string | number)[];
  readonly message?: string;
  /** Whether what follows may run all the same. */
  readonly continue?: boolean;
  readonly input?: unknown;
  readonly told?: Told | undefined;
  readonly [detail: string]: unknown;
}
interface Payload {
  value: unknown;
  issues: Issue[];
  aborted?: boolean;
}
interface Check {
  /** Also after a fault, wherever there is a length. */
  readonly always?: (value: unknown) => boolean;
  readonly find: (value: unknown) => Issue | undefined;
}
type Told = (issue: { readonly input: unknown }) => string;
type Context = { readonly addIssue: (issue: Issue) => void };
type Result = { success: true; data: unknown } | { success: false; error: { issues: object[] } };
/** How an absent key counts. */
type Absent = 'defaulted' | 'optional' | undefined;

export const NEVER = undefined as never;

abstract class ZodType {
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

/** With a limit of its length or size. */
abstract class Sized extends ZodType {
  abstract readonly origin: 'string' | 'array' | 'number';
  min(minimum: number): this {
    return this.limited('too_small', { minimum, inclusive: true }, (size) => size >= minimum);
  }
  max(maximum: number): this {
    return this.limited('too_big', { maximum, inclusive: true }, (size) => size <= maximum);
  }
  protected limited(code: string, limit: object, holds: (size: number) => boolean): this {
    const { origin } = this;
    const find = (value: unknown): Issue | undefined =>
      holds(sizeOf(value)) ? undefined : { code, origin, ...limit, continue: true };
    if (origin === 'number') return this.with({ find });
    const always = (value: unknown): boolean => typeof value === 'string' || Array.isArray(value);
    return this.with({ always, find });
  }
}

/** In code points, as zod counts. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return [...value].length;
  return Array.isArray(value) ? value.length : (value as number);
}

class ZodString extends Sized {
  readonly origin = 'string';
  constructor(private readonly told?: Told) {
    super();
  }
  protected parse(payload: Payload): Payload {
    return typeof payload.value === 'string' ? payload : misfit(payload, 'string', this.told);
  }
  regex(pattern: RegExp, message?: string): this {
    const { told } = this;
    const issue = { code: 'invalid_format', origin: 'string', format: 'regex', continue: true };
    return this.with({
      find: (value) =>
        pattern.test(value as string)
          ? undefined
          : {
              ...issue,
              pattern: String(pattern),
              input: value,
              ...(message === undefined ? { told } : { message }),
            },
    });
  }
}

class ZodNumber extends Sized {
  readonly origin = 'number';
  protected parse(payload: Payload): Payload {
    return Number.isFinite(payload.value) ? payload : misfit(payload, 'number');
  }
  int(): this {
    return this.with({
      find: (value) => {
        if (!Number.isInteger(value))
          return { code: 'invalid_type', expected: 'int', format: 'safeint', continue: false, input: value };
        if (Number.isSafeInteger(value)) return undefined;
        const note = 'Integers must be within the safe integer range.';
        const more = { note, origin: 'int', inclusive: true, continue: true };
        return (value as number) > 0
          ? { code: 'too_big', maximum: Number.MAX_SAFE_INTEGER, ...more }
          : { code: 'too_small', minimum: Number.MIN_SAFE_INTEGER, ...more };
      },
    });
  }
  positive(): this {
    return this.limited('too_small', { minimum: 0, inclusive: false }, (size) => size > 0);
  }
  nonnegative(): this {
    return this.min(0);
  }
}

class ZodBoolean extends ZodType {
  protected parse(payload: Payload): Payload {
    return typeof payload.value === 'boolean' ? payload : misfit(payload, 'boolean');
  }
}

class ZodNull extends ZodType {
  protected parse(payload: Payload): Payload {
    return payload.value === null ? payload : misfit(payload, 'null');
  }
}

export class ZodEnum extends ZodType {
  constructor(readonly options: readonly unknown[]) {
    super();
  }
  protected parse(payload: Payload): Payload {
    if (!this.options.includes(payload.value))
      payload.issues.push({ code: 'invalid_value', values: [...this.options] });
    return payload;
  }
}

export class ZodArray extends Sized {
  readonly origin = 'array';
  constructor(readonly element: ZodType) {
    super();
  }
  protected parse(payload: Payload): Payload {
    const input = payload.value;
    if (!Array.isArray(input)) return misfit(payload, 'array');
    payload.value = input.map((item: unknown, index) => {
      const { value, issues } = this.element.run(item);
      payload.issues.push(...below(index, issues));
      return value;
    });
    return payload;
  }
}

export class ZodObject extends ZodType {
  constructor(
    readonly shape: Readonly<Record<string, ZodType>>,
    private readonly others: 'refused' | 'dropped',
  ) {
    super();
  }
  protected parse(payload: Payload): Payload {
    const input = payload.value;
    if (!isRecord(input)) return misfit(payload, 'object');
    const output: Record<string, unknown> = {};
    payload.value = output;
    for (const [key, type] of Object.entries(this.shape)) {
      const { value, issues } = type.run(input[key]);
      const present = key in input;
      const mayLack = type.absentIn !== undefined && type.absentOut === 'optional';
      if (!present && mayLack && (type.absentIn === 'optional' || issues.length > 0)) continue;
      payload.issues.push(...below(key, issues));
      if (!present && type.absentIn === undefined) {
        if (issues.length === 0)
          payload.issues.push({ code: 'invalid_type', expected: 'nonoptional', path: [key] });
      } else if (value !== undefined || present || (type.absentIn === 'defaulted' && !mayLack))
        output[key] = value;
    }
    if (this.others === 'dropped') return payload;
    const keys = Object.keys(input).filter((key) => !Object.hasOwn(this.shape, key));
    if (keys.length > 0) payload.issues.push({ code: 'unrecognized_keys', keys, continue: true });
    return payload;
  }
}

export class ZodRecord extends ZodType {
  constructor(
    readonly keyType: ZodType,
    readonly valueType: ZodType,
  ) {
    super();
  }
  protected parse(payload: Payload): Payload {
    const input = payload.value;
    if (!isRecord(input)) return misfit(payload, 'record');
    const output: Record<string, unknown> = {};
    payload.value = output;
    const unknown: string[] = [];
    for (const key of Object.keys(input)) {
      if (key === '__proto__') continue;
      const { issues } = this.keyType.run(key);
      if (issues.length > 0) {
        if (this.keyType instanceof ZodEnum) unknown.push(key);
        else
          payload.issues.push({
            code: 'invalid_key',
            origin: 'record',
            issues: issues.map(finished),
            path: [key],
          });
        continue;
      }
      const item = this.valueType.run(input[key]);
      payload.issues.push(...below(key, item.issues));
      output[key] = item.value;
    }
    if (unknown.length > 0)
      payload.issues.push({ code: 'unrecognized_keys', keys: unknown, continue: true });
    return payload;
  }
}

export class ZodUnion extends ZodType {
  override readonly absentIn: Absent;
  override readonly absentOut: Absent;
  constructor(readonly options: readonly ZodType[]) {
    super();
    this.absentIn = options.some(({ absentIn }) => absentIn === 'defaulted')
      ? 'defaulted'
      : options.some(({ absentIn }) => absentIn !== undefined)
        ? 'optional'
        : undefined;
    this.absentOut = options.some(({ absentOut }) => absentOut === 'optional') ? 'optional' : undefined;
  }
  protected parse(payload: Payload): Payload {
    const tried: Payload[] = [];
    for (const option of this.options) {
      const one = option.run(payload.value);
      if (one.issues.length === 0) return one;
      tried.push(one);
    }
    const [only, ...more] = tried.filter((one) => !isAborted(one));
    if (only !== undefined && more.length === 0) return only;
    payload.issues.push({ code: 'invalid_union', errors: tried.map(({ issues }) => issues.map(finished)) });
    return payload;
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
    const result =
      payload.value === undefined ? payload : this.inner.run(payload.value, payload.issues);
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

export const string = (options?: { readonly error: Told }): ZodString => new ZodString(options?.error);
export const number = (): ZodNumber => new ZodNumber();
export const boolean = (): ZodBoolean => new ZodBoolean();
export const array = (element: ZodType): ZodArray => new ZodArray(element);
export const union = (options: readonly ZodType[]): ZodUnion => new ZodUnion(options);
export const literal = (value: unknown): ZodEnum => new ZodEnum([value]);
export const object = (shape: Record<string, ZodType>): ZodObject => new ZodObject(shape, 'dropped');
export const strictObject = (shape: Record<string, ZodType>): ZodObject => new ZodObject(shape, 'refused');
export const record = (key: ZodType, value: ZodType): ZodRecord => new ZodRecord(key, value);
export { record as partialRecord, makeEnum as enum, makeNull as null };

const makeEnum = (options: readonly unknown[]): ZodEnum => new ZodEnum(options);
const makeNull = (): ZodNull => new ZodNull();

function misfit(payload: Payload, expected: string, told?: Told): Payload {
  payload.issues.push({ code: 'invalid_type', expected, input: payload.value, told });
  return payload;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAborted({ aborted, issues }: Payload): boolean {
  return aborted === true || issues.some((issue) => issue.continue !== true);
}

function below(step: string | number, issues: readonly Issue[]): Issue[] {
  return issues.map((issue) => ({ ...issue, path: [step, ...(issue.path ?? [])] }));
}

/** As others see it. */
function finished({ input, continue: _continue, told, ...issue }: Issue): object {
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
