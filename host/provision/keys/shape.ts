/**
 * What a key may hold: small readers of located nodes that fit together, without a library, since they run on the machine. Each says its
 * type in words, so that the page about the keys is made from the same table that reads them.
 *
 * A reader returns `undefined` once it has reported a fault.
 */
import type { Located, LocatedEntry, LocatedScalar } from '../../../spec/located.ts';
import { nearest } from '../../../spec/suggest.ts';
import { placeOf, type At, type Place } from '../config.ts';
import { fault, isFull, mismatch, remark, warn, within, type Reader } from './reader.ts';

export interface Shape<T> {
  /** In words. */
  readonly type: string;
  /** The sub-keys of a mapping that has fixed ones, at whatever depth it stands. */
  readonly members?: Members;
  readonly read: (node: Located, reader: Reader) => T | undefined;
}

export interface Member<T = unknown> {
  readonly shape: Shape<T>;
  readonly required?: true;
  readonly secret?: true;
  /** Other spellings that are heard. */
  readonly aliases?: readonly string[];
}
export type Members = Readonly<Record<string, Member>>;
type Values<M extends Members> = { readonly at: Place } & {
  readonly [K in keyof M]?: M[K] extends Member<infer T> ? T : never;
};

export interface TextOptions {
  readonly type?: string;
  readonly secret?: true;
  /** Why a text will not do, for people; `undefined` when it will. */
  readonly check?: (text: string) => string | undefined;
  readonly hint?: string;
  /** A bare number is taken as the text that it is written as, with a warning. */
  readonly numbers?: true;
}

/** A text. What YAML reads as something else is a fault that says how to write it. */
export function text(options: TextOptions = {}): Shape<At<string>> {
  const type = options.type ?? 'text';
  return {
    type,
    read: (node, reader) => {
      const inner = options.secret === true ? { ...reader, secret: true } : reader;
      const found = textOf(node, inner, type, options.numbers === true);
      if (found === undefined) return undefined;
      const why = options.check?.(found);
      if (why !== undefined) return fault(inner, node.at, 'value', why, options.hint);
      return at(node, found, inner.secret);
    },
  };
}

function textOf(node: Located, reader: Reader, type: string, numbers: boolean): string | undefined {
  const wanted = type === 'text' ? 'a text' : `a text (${type})`;
  if (node.kind !== 'scalar' || node.value === null) return mismatch(reader, node, wanted);
  if (typeof node.value === 'string') return node.value;
  if (numbers) {
    warn(reader, node.at, 'type', 'this number is read as the text that it is written as');
    return node.text;
  }
  const kind = typeof node.value === 'number' ? 'a number' : 'true or false';
  return mismatch(
    reader,
    node,
    wanted,
    `YAML reads this as ${kind}: write it in quotes${reader.secret || reader.unquoted === true ? '' : `: '${node.text}'`}`,
  );
}

/** `true` and `false`; `yes`, `no`, `on`, `off` too, which are the same in YAML 1.1, and so in cloud-init. */
export const flag: Shape<At<boolean>> = {
  type: '`true`, `false`',
  read: (node, reader) => {
    const value = node.kind === 'scalar' ? truth(node) : undefined;
    if (value !== undefined) return at(node, value, reader.secret);
    return mismatch(reader, node, 'true or false');
  },
};

/** What a scalar says, if it says yes or no. */
export function truth(node: LocatedScalar): boolean | undefined {
  if (typeof node.value === 'boolean') return node.value;
  if (typeof node.value !== 'string') return undefined;
  if (/^(y|yes|on|true)$/i.test(node.value)) return true;
  return /^(n|no|off|false)$/i.test(node.value) ? false : undefined;
}

/** A whole number; in quotes too where that is usual. Refused: beyond 53 bits, which JSON cannot carry, and a leading zero, which YAML 1.1 and 1.2 read differently. */
export function integer(least: number, most: number, inQuotes = false): Shape<At<number>> {
  return {
    type: 'whole number',
    read: (node, reader) => {
      if (node.kind !== 'scalar' || node.value === null || typeof node.value === 'boolean')
        return mismatch(reader, node, 'a whole number');
      const written = node.text;
      if (typeof node.value === 'string' && !inQuotes)
        return mismatch(reader, node, 'a whole number, without quotes');
      if (/^[-+]?0\d/.test(written)) {
        const why = `${written} means one number to YAML 1.1 and another to YAML 1.2`;
        return fault(reader, node.at, 'number', why, 'write it without the leading zero');
      }
      if (!/^([-+]?\d+|0x[0-9a-f]+|0o[0-7]+)$/i.test(written))
        return mismatch(reader, node, 'a whole number');
      const value = Number(written);
      if (!Number.isSafeInteger(value) || value < least || value > most) {
        return fault(reader, node.at, 'number', `expected a whole number from ${least} to ${most}`);
      }
      return at(node, value, reader.secret);
    },
  };
}

/** One of some words; `false` may be one of them. */
export function oneOf<const T extends string | boolean>(values: readonly T[]): Shape<At<T>> {
  return {
    type: values.map((value) => `\`${String(value)}\``).join(', '),
    read: (node, reader) => {
      const value = node.kind === 'scalar' ? values.find((known) => means(node, known)) : undefined;
      if (value !== undefined) return at(node, value, reader.secret);
      const wanted = values
        .map((known) => (typeof known === 'string' ? `'${known}'` : String(known)))
        .join(', ');
      const written =
        node.kind === 'scalar' && !isFull(reader) ? nearest(node.text, values.map(String)) : undefined;
      const hint = written === undefined ? undefined : `did you mean '${written}'?`;
      return mismatch(reader, node, values.length === 1 ? wanted : `one of ${wanted}`, hint);
    },
  };
}

function means(node: LocatedScalar, known: string | boolean): boolean {
  return typeof known === 'string' ? node.text === known : truth(node) === known;
}

/** A list. An item that is faulty is left out. */
export function list<T>(item: Shape<T>): Shape<readonly T[]> {
  return {
    type: `list of ${plural(item.type)}`,
    ...(item.members === undefined ? {} : { members: item.members }),
    read: (node, reader) => {
      if (node.kind !== 'list') return mismatch(reader, node, 'a list');
      return node.items.flatMap((part) => item.read(part, reader) ?? []);
    },
  };
}

/** A list, or one item alone. */
export function listOrOne<T>(item: Shape<T>): Shape<readonly T[]> {
  return {
    type: `${item.type}, or list of ${plural(item.type)}`,
    read: (node, reader) =>
      node.kind === 'list' ? list(item).read(node, reader) : one(item.read(node, reader)),
  };
}

/** A list, or one text with its items between commas (or white space). */
export function listOrWords(separator: RegExp): Shape<readonly At<string>[]> {
  const item = text();
  return {
    type: 'list of texts, or one text with commas',
    read: (node, reader) => {
      if (node.kind === 'list') return list(item).read(node, reader);
      const whole = item.read(node, reader);
      if (whole === undefined) return undefined;
      const words = whole.value.split(separator).map((word) => word.trim());
      return words.filter((word) => word !== '').map((value) => ({ ...whole, value }));
    },
  };
}

/** A mapping with any names. A name whose value is faulty is left out. */
export function named<T>(
  value: Shape<T>,
  what: string,
): Shape<readonly { readonly name: At<string>; readonly value: T }[]> {
  return {
    type: `mapping of ${what} to ${value.type}`,
    ...(value.members === undefined ? {} : { members: value.members }),
    read: (node, reader) => {
      if (node.kind !== 'map') return mismatch(reader, node, 'a mapping (key: value)');
      return [...node.entries].flatMap(([name, entry]) => {
        const found = value.read(entry.value, within(reader, name));
        if (found === undefined) return [];
        return [{ name: { value: name, at: placeOf(entry.keyAt) }, value: found }];
      });
    },
  };
}

/**
 * A mapping with fixed keys. An unknown or faulty one makes the whole faulty, for half of an entry can be worse than none (a key file
 * without its mode); `lenient` ones are read without it (a user whose shell is faulty still gets in).
 */
export function fields<M extends Members>(
  members: M,
  options: {
    readonly noun: string;
    readonly lenient?: true;
    /** The old spelling, `no-create-home`, is heard too. */
    readonly hyphens?: true;
  },
): Shape<Values<M>> {
  return {
    type: 'mapping',
    members,
    read: (node, reader) => {
      if (node.kind !== 'map') return mismatch(reader, node, 'a mapping (key: value)');
      const before = reader.tally.errors;
      const values: Record<string, unknown> = { at: placeOf(node.at) };
      for (const [name, entry] of node.entries) {
        const known = memberOf(members, options.hyphens === true ? name.replaceAll('-', '_') : name);
        if (known === undefined) unknownKey(reader, entry, name, Object.keys(members), options.noun);
        else if (known in values && known !== name) {
          fault(reader, entry.keyAt, 'twice', `'${name}' and '${known}' are the same key`);
        } else {
          const member = members[known];
          const inner = within(reader, known, member?.secret === true);
          // Nothing after a key is the same as no such key.
          if (isNothing(entry.value) && member?.shape.type !== 'anything') {
            warn(reader, entry.keyAt, 'empty', `nothing stands after '${name}'`);
          } else values[known] = member?.shape.read(entry.value, inner);
        }
      }
      for (const [name, { required }] of Object.entries(members)) {
        if (required !== true || name in values) continue;
        fault(reader, node.at, 'missing', `'${name}' is missing in ${options.noun}`);
      }
      const sound = reader.tally.errors === before || options.lenient === true;
      return sound ? (values as Values<M>) : undefined;
    },
  };
}

/** Different shapes for a single value, a list and a mapping. */
export function either<T>(
  type: string,
  forms: { readonly scalar?: Shape<T>; readonly list?: Shape<T>; readonly map?: Shape<T> },
): Shape<T> {
  const members = forms.map?.members ?? forms.list?.members;
  return {
    type,
    ...(members === undefined ? {} : { members }),
    read: (node, reader) => {
      const form = forms[node.kind];
      if (form === undefined || isNothing(node)) return mismatch(reader, node, type.replaceAll('`', ''));
      return form.read(node, reader);
    },
  };
}

/** What a shape's value comes to. */
export function convert<T, U>(
  shape: Shape<T>,
  make: (value: T, reader: Reader, node: Located) => U | undefined,
  type?: string,
): Shape<U> {
  return {
    ...shape,
    ...(type === undefined ? {} : { type }),
    read: (node, reader) => {
      const value = shape.read(node, reader);
      return value === undefined ? undefined : make(value, reader, node);
    },
  };
}

/** Anything: it is known, and has no effect here, for this reason. */
export function ignored(reason: string): Shape<undefined> {
  return {
    type: 'anything',
    read: (node, reader) => {
      remark(reader, node.at, 'ignored', reason);
      return undefined;
    },
  };
}

/** A fault whose advice is the reason. */
export function refused(why: string, instead: string): Shape<undefined> {
  return {
    type: 'anything',
    read: (node, reader) => fault(reader, node.at, 'unsupported', why, instead),
  };
}

export function at<T>(node: Located, value: T, secret = false): At<T> {
  return { value, at: placeOf(node.at), ...(secret ? { secret: true as const } : {}) };
}

export function isNothing(node: Located): boolean {
  return node.kind === 'scalar' && node.value === null;
}

/** Of what was read, only what is there: an absent member is not `undefined`. */
export function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

export function unknownKey(
  reader: Reader,
  entry: LocatedEntry,
  name: string,
  known: readonly string[],
  noun: string,
): void {
  const meant = isFull(reader) ? undefined : nearest(name, known);
  const hint = meant === undefined ? `known keys: ${known.join(', ')}` : `did you mean '${meant}'?`;
  fault(reader, entry.keyAt, 'unknown-key', `'${name}' is no key of ${noun}`, hint);
}

/** The member that a written key means. */
function memberOf(members: Members, name: string): string | undefined {
  if (Object.hasOwn(members, name)) return name;
  return Object.keys(members).find((key) => members[key]?.aliases?.includes(name) === true);
}

function one<T>(value: T | undefined): readonly T[] | undefined {
  return value === undefined ? undefined : [value];
}

function plural(type: string): string {
  return type === 'text' ? 'texts' : type === 'mapping' ? 'mappings' : type;
}
