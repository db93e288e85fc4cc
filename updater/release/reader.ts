/**
 * Small strict readers for documents that come from outside, for a runtime that has no room for zod: each takes a value out of JSON.parse
 * and returns it typed, or says where and what was wrong. They hold sizes as well as kinds: nothing unbounded is kept.
 */
import { SlipwayError } from '../../spec/error.ts';
import { own } from '../../spec/own.ts';

/** Where in the document, and whether keys that we do not know are an error (the document's minor version is ours) or are passed over. */
export interface Place {
  readonly path: string;
  readonly unknownKeys: 'refuse' | 'ignore';
}

export type Reader<T> = (value: unknown, place: Place) => T;

export type Fields<T> = { readonly [K in keyof T]-?: Reader<T[K]> };

export function object<T extends object>(fields: Fields<T>): Reader<T> {
  const known = Object.keys(fields) as (keyof T & string)[];
  return (value, place) => {
    if (!isObject(value)) throw fault(place, 'an object', value);
    const unknown = Object.keys(value).find((key) => !known.includes(key as keyof T & string));
    if (unknown !== undefined && place.unknownKeys === 'refuse') {
      throw invalid(place, `has the key '${shortened(unknown)}', which is not known`);
    }
    const result: Partial<T> = {};
    for (const key of known) {
      const read = fields[key](own(value, key), inside(place, key));
      if (read !== undefined) result[key] = read;
    }
    return result as T;
  };
}

/** A mapping with free keys of one form. */
export function mapping<T>(
  key: RegExp,
  item: Reader<T>,
  maxEntries: number,
): Reader<Readonly<Record<string, T>>> {
  return (value, place) => {
    if (!isObject(value)) throw fault(place, 'an object', value);
    const keys = Object.keys(value);
    if (keys.length > maxEntries) throw invalid(place, `has more than ${maxEntries} entries`);
    const foreign = keys.find((name) => !key.test(name));
    if (foreign !== undefined)
      throw invalid(place, `has the key '${shortened(foreign)}', which is not allowed`);
    return Object.fromEntries(keys.map((name) => [name, item(own(value, name), inside(place, name))]));
  };
}

export function list<T>(
  item: Reader<T>,
  limits: { readonly min?: number; readonly max: number },
): Reader<readonly T[]> {
  return (value, place) => {
    if (!Array.isArray(value)) throw fault(place, 'a list', value);
    if (value.length > limits.max) throw invalid(place, `has more than ${limits.max} entries`);
    if (value.length < (limits.min ?? 0)) throw invalid(place, `has fewer than ${limits.min ?? 0} entries`);
    return value.map((each: unknown, index) => item(each, { ...place, path: `${place.path}[${index}]` }));
  };
}

export function text(
  limits: { readonly max: number } | { readonly form: RegExp; readonly what: string },
): Reader<string> {
  return (value, place) => {
    if (typeof value !== 'string') throw fault(place, 'a text', value);
    if ('max' in limits && value.length > limits.max)
      throw invalid(place, `is longer than ${limits.max} characters`);
    if ('form' in limits && !limits.form.test(value)) throw fault(place, limits.what, value);
    return value;
  };
}

export function integer(min: number, max: number): Reader<number> {
  return (value, place) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw fault(place, `a whole number from ${min} to ${max}`, value);
    }
    return value;
  };
}

export const boolean: Reader<boolean> = (value, place) => {
  if (typeof value !== 'boolean') throw fault(place, 'true or false', value);
  return value;
};

export function oneOf<const T extends string>(...values: readonly T[]): Reader<T> {
  return (value, place) => {
    const found = values.find((each) => each === value);
    if (found === undefined)
      throw fault(place, `one of ${values.map((each) => `'${each}'`).join(', ')}`, value);
    return found;
  };
}

/** May be missing; `null` is not missing. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, place) => (value === undefined ? undefined : reader(value, place));
}

/** A further condition; `check` returns what is wrong, or nothing. */
export function checked<T>(reader: Reader<T>, check: (value: T) => string | undefined): Reader<T> {
  return (value, place) => {
    const read = reader(value, place);
    const wrong = check(read);
    if (wrong !== undefined) throw invalid(place, wrong);
    return read;
  };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function invalid(place: Place, what: string): SlipwayError {
  return new SlipwayError('release.invalid', `${place.path} ${what}`);
}

function fault(place: Place, wanted: string, found: unknown): SlipwayError {
  return invalid(place, `should be ${wanted}, and is ${described(found)}`);
}

function described(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'string') return `'${shortened(value)}'`;
  if (Array.isArray(value)) return 'a list';
  return isObject(value) ? 'an object' : JSON.stringify(value);
}

function shortened(value: string): string {
  return value.length > 60 ? `${value.slice(0, 57)}...` : value;
}

function inside(place: Place, key: string): Place {
  return { ...place, path: `${place.path}.${key}` };
}
