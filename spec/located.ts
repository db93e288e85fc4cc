/**
 * YAML as a tree of values that each know where they were written. Files are merged as such trees (extends, include, profiles), so
 * that a fault in the merged result still points at the file, line and column that caused it.
 */
import type { Diagnostic } from './diagnostic.ts';

export interface SourceFile {
  /** Absolute. */
  readonly path: string;
  /** As messages show it: relative where the user's own argument was. */
  readonly display: string;
  readonly lines: readonly string[];
}

export interface Position {
  readonly source: SourceFile;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly length: number;
}

/** Compose's YAML tags: `!reset` drops what is merged over, `!override` replaces it instead of merging. */
export type MergeTag = 'reset' | 'override';

interface LocatedBase {
  readonly at: Position;
  readonly tag?: MergeTag;
  /** How many nodes it has once all aliases are written out. */
  readonly size: number;
}

export interface LocatedScalar extends LocatedBase {
  readonly kind: 'scalar';
  readonly value: string | number | boolean | null;
  /** As written, for values whose text matters (`1.10`, `0o644`). */
  readonly text: string;
  readonly octal: boolean;
  /** `!!binary`: the text is base64. Only where a reader asked for such. */
  readonly binary?: true;
}

export interface LocatedList extends LocatedBase {
  readonly kind: 'list';
  readonly items: readonly Located[];
}

export interface LocatedMap extends LocatedBase {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, LocatedEntry>;
}

export interface LocatedEntry {
  readonly keyAt: Position;
  readonly value: Located;
}

export type Located = LocatedScalar | LocatedList | LocatedMap;
export type Path = readonly (string | number)[];

/** The bare value. Octal numbers stay text (`0o644`), because a mode must tell 0o644 from 420. */
export function toPlain(node: Located): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.octal ? node.text : node.value;
    case 'list':
      return node.items.map(toPlain);
    case 'map': {
      // defineProperty, so that a key named __proto__ is data like any other.
      const plain: Record<string, unknown> = {};
      for (const [key, { value }] of node.entries) {
        Object.defineProperty(plain, key, {
          value: toPlain(value),
          enumerable: true,
          writable: true,
          configurable: true,
        });
      }
      return plain;
    }
  }
}

/** The node at a path, if there is one. */
export function nodeAt(node: Located, path: Path): Located | undefined {
  let current: Located | undefined = node;
  for (const step of path) current = child(current, step);
  return current;
}

/** Where a path was written: its value (a scalar or list item), its key (a map or list under a key), or the nearest that encloses it. */
export function positionAt(node: Located, path: Path, prefer: 'value' | 'key' = 'value'): Position {
  let current = node;
  let position = node.at;
  for (const step of path) {
    const entry = current.kind === 'map' ? current.entries.get(String(step)) : undefined;
    const next = entry?.value ?? child(current, step);
    if (next === undefined) return position;
    position =
      entry !== undefined && (prefer === 'key' || next.kind !== 'scalar' || isBlank(next))
        ? entry.keyAt
        : next.at;
    current = next;
  }
  return position;
}

/** A fault at a position. */
export function faultAt(
  at: Position,
  code: string,
  message: string,
  hint?: string,
  severity: Diagnostic['severity'] = 'error',
): Diagnostic {
  return {
    severity,
    code,
    message,
    file: at.source.display,
    line: at.line,
    column: at.column,
    length: at.length,
    sourceLine: at.source.lines[at.line - 1] ?? '',
    ...(hint === undefined ? {} : { hint }),
  };
}

export function mapNode(
  at: Position,
  entries: ReadonlyMap<string, LocatedEntry>,
  tag?: MergeTag,
): LocatedMap {
  let size = 1;
  for (const { value } of entries.values()) size += value.size;
  return { kind: 'map', at, entries, size, ...(tag === undefined ? {} : { tag }) };
}

export function listNode(at: Position, items: readonly Located[], tag?: MergeTag): LocatedList {
  const size = items.reduce((sum, item) => sum + item.size, 1);
  return { kind: 'list', at, items, size, ...(tag === undefined ? {} : { tag }) };
}

export function textNode(at: Position, text: string): LocatedScalar {
  return { kind: 'scalar', at, value: text, text, octal: false, size: 1 };
}

/** Nothing stands after the key, so there is no place but the key. */
function isBlank(node: LocatedScalar): boolean {
  return node.value === null && node.text === '';
}

function child(node: Located | undefined, step: string | number): Located | undefined {
  if (node?.kind === 'map') return node.entries.get(String(step))?.value;
  if (node?.kind === 'list') return node.items[Number(step)];
  return undefined;
}
