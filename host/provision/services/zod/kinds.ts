/** Texts, numbers, lists, mappings, and choices among them. */
import { below, finished, isAborted, misfit, type Payload, type Told } from './issue.ts';
import { ZodType, type Absent } from './type.ts';

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
    const hasLength = (value: unknown): boolean => typeof value === 'string' || Array.isArray(value);
    const of = (value: unknown): string =>
      hasLength(value) ? (Array.isArray(value) ? 'array' : 'string') : origin;
    return this.with({
      ...(origin === 'number' ? {} : { always: hasLength }),
      find: (value) =>
        holds(sizeOf(value)) ? undefined : { code, origin: of(value), ...limit, continue: true },
    });
  }
}

/** In code points, as zod counts. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return [...value].length;
  return Array.isArray(value) ? value.length : (value as number);
}

export class ZodString extends Sized {
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

export class ZodNumber extends Sized {
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

export class ZodBoolean extends ZodType {
  protected parse(payload: Payload): Payload {
    return typeof payload.value === 'boolean' ? payload : misfit(payload, 'boolean');
  }
}

export class ZodNull extends ZodType {
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
    if (unknown.length > 0) payload.issues.push({ code: 'unrecognized_keys', keys: unknown, continue: true });
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

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
