/**
 * From a located tree to a typed value: runs a zod schema and turns its issues into diagnostics at the right place and in words that
 * people who write YAML know.
 */
import * as z from 'zod';
import type { Diagnostic } from './diagnostic.ts';
import { faultAt, nodeAt, positionAt, toPlain, type Located, type Path } from './located.ts';
import { own } from './own.ts';
import { nearest } from './suggest.ts';

type Issue = z.core.$ZodIssue;

export interface ShapeOptions {
  /** Keys that others know and we do not support, of the mapping at a path: what to do instead. */
  readonly unsupported?: (path: Path) => Readonly<Record<string, string>> | undefined;
  /** How a message calls the mapping at a path, where its key alone would not do: `a service`. */
  readonly noun?: (path: Path) => string | undefined;
}

export type ShapeResult<T> =
  | { readonly value: T; readonly diagnostics: readonly Diagnostic[] }
  | { readonly value?: undefined; readonly diagnostics: readonly Diagnostic[] };

/** Parses a located tree. Keys that begin with `x-` are allowed wherever keys are fixed, and dropped; but not one that is meant to be `x-slipway`. */
export function parseShape<S extends z.ZodType>(
  schema: S,
  node: Located,
  options: ShapeOptions = {},
): ShapeResult<z.output<S>> {
  const plain = toPlain(node);
  let result = schema.safeParse(plain);
  if (!result.success && dropExtensions(plain, result.error.issues)) result = schema.safeParse(plain);
  if (result.success) return { value: result.data, diagnostics: [] };
  const diagnostics = result.error.issues.flatMap((issue) => diagnose(issue, [], schema, node, options));
  return { diagnostics };
}

/** Where a schema names its keys, for "did you mean": the keys of the object type at a path. */
function keysAt(schema: unknown, path: Path): readonly string[] {
  let current = unwrap(schema);
  for (const step of path) {
    const next = current.map((type) => inner(type, step)).flatMap(unwrap);
    current = next;
  }
  return current.flatMap((type) => {
    if (type instanceof z.ZodObject) return Object.keys(type.shape);
    return type instanceof z.ZodRecord && type.keyType instanceof z.ZodEnum
      ? type.keyType.options.map(String)
      : [];
  });
}

function inner(type: unknown, step: string | number): unknown {
  if (type instanceof z.ZodObject) return (type.shape as Record<string, unknown>)[String(step)];
  if (type instanceof z.ZodRecord) return type.valueType;
  if (type instanceof z.ZodArray) return type.element;
  return undefined;
}

/** The types behind optional, default, pipe, lazy and union. */
function unwrap(type: unknown): readonly unknown[] {
  if (
    type instanceof z.ZodOptional ||
    type instanceof z.ZodNullable ||
    type instanceof z.ZodDefault ||
    type instanceof z.ZodPrefault
  ) {
    return unwrap(type.unwrap());
  }
  if (type instanceof z.ZodPipe) return unwrap(type.in);
  if (type instanceof z.ZodLazy) return unwrap(type.unwrap());
  if (type instanceof z.ZodUnion) return type.options.flatMap(unwrap);
  return type === undefined ? [] : [type];
}

function dropExtensions(plain: unknown, issues: readonly Issue[], at: readonly PropertyKey[] = []): boolean {
  let dropped = false;
  for (const issue of issues) {
    const path = [...at, ...issue.path];
    if (issue.code === 'invalid_union') {
      for (const branch of issue.errors) dropped = dropExtensions(plain, branch, path) || dropped;
    }
    if (issue.code !== 'unrecognized_keys') continue;
    const holder = path.reduce<unknown>(
      (value, step) => (value as Record<PropertyKey, unknown>)[step],
      plain,
    );
    for (const key of issue.keys.filter(isExtension)) {
      dropped = Reflect.deleteProperty(holder as object, key) || dropped;
    }
  }
  return dropped;
}

function diagnose(
  issue: Issue,
  at: Path,
  schema: z.ZodType,
  root: Located,
  options: ShapeOptions,
): readonly Diagnostic[] {
  const path: Path = [...at, ...issue.path.map((step) => (typeof step === 'symbol' ? String(step) : step))];
  const node = nodeAt(root, path);
  const position = positionAt(root, path);
  if (node === undefined && path.length > 0 && issue.code !== 'custom') {
    const message = `'${String(path.at(-1))}' is missing`;
    return [faultAt(positionAt(root, path.slice(0, -1), 'key'), 'input.missing', message)];
  }
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys
        .filter((key) => !isExtension(key))
        .map((key) => unknownKey(key, path, schema, root, options));
    case 'invalid_union': {
      const best = bestBranch(issue.errors, node);
      if (best !== undefined) return best.flatMap((part) => diagnose(part, path, schema, root, options));
      const wanted = issue.errors.flatMap((branch) => branch.flatMap((part) => expectation(part) ?? []));
      return [
        faultAt(
          position,
          'input.type',
          mismatch([...new Set(wanted)].join(' or '), node),
          quoteHint(wanted, node),
        ),
      ];
    }
    case 'invalid_type': {
      if (!issue.message.startsWith('Invalid input')) return [faultAt(position, 'input.type', issue.message)];
      const wanted = expectation(issue);
      const hint = quoteHint(wanted === undefined ? [] : [wanted], node);
      return [faultAt(position, 'input.type', mismatch(wanted ?? issue.expected, node), hint)];
    }
    case 'invalid_value': {
      const values = issue.values;
      const written = node?.kind === 'scalar' ? node.text : '';
      const meant = nearest(written, values.map(String));
      return [
        faultAt(
          position,
          'input.value',
          `expected ${oneOf(values)}, found ${described(node)}`,
          meant === undefined ? undefined : `did you mean '${meant}'?`,
        ),
      ];
    }
    case 'invalid_key':
      return issue.issues.map((part) => faultAt(positionAt(root, path, 'key'), 'input.key', part.message));
    case 'custom': {
      const { code, hint } = (issue.params ?? {}) as { code?: string; hint?: string };
      return [faultAt(position, code ?? 'input.value', issue.message, hint)];
    }
    case 'too_small':
    case 'too_big':
    case 'not_multiple_of':
    case 'invalid_format':
    case 'invalid_element':
      return [faultAt(position, 'input.value', plainMessage(issue, node))];
  }
}

function unknownKey(
  key: string,
  path: Path,
  schema: z.ZodType,
  root: Located,
  options: ShapeOptions,
): Diagnostic {
  const position = positionAt(root, [...path, key], 'key');
  const instead = own(options.unsupported?.(path) ?? {}, key);
  if (instead !== undefined) {
    return faultAt(position, 'input.unsupported', `'${key}' is not supported by Slipway`, instead);
  }
  const known = keysAt(schema, path);
  const meant = nearest(key, known);
  if (key === 'x-slipway') {
    return faultAt(
      position,
      'input.unknown-key',
      "'x-slipway' belongs under a service",
      'move it below the name of the service',
    );
  }
  const holder = path.filter((step) => typeof step === 'string').at(-1);
  const place = options.noun?.(path) ?? (holder === undefined ? 'this file' : `'${holder}'`);
  const hint =
    meant === undefined
      ? known.length === 0
        ? undefined
        : `known keys: ${known.join(', ')}`
      : `did you mean '${meant}'?`;
  return faultAt(position, 'input.unknown-key', `'${key}' is no key of ${place}`, hint);
}

/** Somebody else's extension. What looks like ours but is not at its place, or not spelt right, must not be dropped in silence. */
function isExtension(key: string): boolean {
  return key.startsWith('x-') && nearest(key, ['x-slipway']) === undefined;
}

/** The branch of a union that the writer meant: the one whose outermost type fits what is there. */
function bestBranch(
  branches: readonly (readonly Issue[])[],
  node: Located | undefined,
): readonly Issue[] | undefined {
  const fitting = branches.filter((branch) => !branch.some(isMisfit));
  if (fitting.length === 0 && node !== undefined) {
    // A type fault that speaks for itself (a bare number as file mode) is better than "expected text".
    return branches.find((branch) =>
      branch.some((issue) => !issue.message.startsWith('Invalid input') && issue.code === 'invalid_type'),
    );
  }
  return [...fitting].sort((a, b) => a.length - b.length)[0];
}

/** Whether an issue says that the outermost type is another one. */
function isMisfit(issue: Issue): boolean {
  if (issue.path.length > 0) return false;
  if (issue.code === 'invalid_union') return issue.errors.every((branch) => branch.some(isMisfit));
  return issue.code === 'invalid_type';
}

function expectation(issue: Issue): string | undefined {
  if (issue.code === 'invalid_value') return oneOf(issue.values);
  return issue.code === 'invalid_type' ? (TYPE_NAMES[issue.expected] ?? issue.expected) : undefined;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping (key: value)',
  record: 'a mapping (key: value)',
  null: 'nothing',
};

function mismatch(wanted: string, node: Located | undefined): string {
  return `expected ${wanted}, found ${described(node)}`;
}

function quoteHint(wanted: readonly string[], node: Located | undefined): string | undefined {
  if (node?.kind !== 'scalar') return undefined;
  if (wanted.includes('a text') && (typeof node.value === 'number' || typeof node.value === 'boolean')) {
    return `YAML reads ${node.text} as a ${typeof node.value}: write '${node.text}' in quotes`;
  }
  const word = String(node.value).toLowerCase();
  if (wanted.includes('true or false') && ['yes', 'no', 'on', 'off', 'true', 'false'].includes(word)) {
    return `write ${['yes', 'on', 'true'].includes(word) ? 'true' : 'false'}, without quotes`;
  }
  return undefined;
}

function described(node: Located | undefined): string {
  if (node === undefined) return 'nothing';
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a mapping';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'string')
    return `the text '${node.value.length > 60 ? `${node.value.slice(0, 57)}...` : node.value}'`;
  return typeof node.value === 'number' ? `the number ${node.text}` : node.text;
}

function oneOf(values: readonly unknown[]): string {
  const shown = values.map((value) => (typeof value === 'string' ? `'${value}'` : String(value)));
  return shown.length === 1 ? (shown[0] ?? '') : `one of ${shown.join(', ')}`;
}

function plainMessage(issue: Issue, node: Located | undefined): string {
  if (issue.code === 'too_small' || issue.code === 'too_big') {
    const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
    const unit = issue.origin === 'array' ? ' entries' : issue.origin === 'string' ? ' characters' : '';
    return `expected ${limit}${unit}, found ${described(node)}`;
  }
  return issue.message.startsWith('Invalid') ? `${described(node)} is not allowed here` : issue.message;
}
