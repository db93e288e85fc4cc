/** One reading of a configuration: where faults and remarks about its keys are collected. */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import { faultAt, type Located, type Position } from '../../../spec/located.ts';
import type { KeyStatus } from '../../../spec/provisioning.ts';

/** More faults of one key, or unknown keys of one document, are only counted by who reads them. */
export const FAULT_LIMIT = 50;

export interface Reader {
  readonly diagnostics: Diagnostic[];
  /** Of sub-keys, and of keys that need no plan. */
  readonly keys: KeyStatus[];
  /** `users`, `users.passwd`: what is being read. */
  readonly path: readonly string[];
  /** What is read must not be shown. */
  readonly secret: boolean;
  /** It may be shown where it stands, but no message repeats it: command lines hold tokens. */
  readonly unquoted?: true;
  /** Of all errors, told or not. */
  readonly tally: { errors: number };
}

/** For a key, or for a document. */
export function startReader(path: readonly string[], unquoted = false): Reader {
  const reader = { diagnostics: [], keys: [], path, secret: false, tally: { errors: 0 } };
  return unquoted ? { ...reader, unquoted: true } : reader;
}

/** One level further in. */
export function within(reader: Reader, name: string, secret = false): Reader {
  return { ...reader, path: [...reader.path, name], secret: reader.secret || secret };
}

/** An error at a node or a key. Under a secret neither the line nor what was found is shown. */
export function fault(reader: Reader, at: Position, code: string, message: string, hint?: string): undefined {
  if (!isFull(reader)) reader.diagnostics.push(shown(reader, faultAt(at, `config.${code}`, message, hint)));
  reader.tally.errors += 1;
  return undefined;
}

/** Enough is said: what more there is, is only counted. */
export function isFull({ tally }: Reader): boolean {
  return tally.errors >= FAULT_LIMIT;
}

/** What is accepted all the same. */
export function warn(reader: Reader, at: Position, code: string, message: string, hint?: string): void {
  if (reader.diagnostics.length < 2 * FAULT_LIMIT)
    reader.diagnostics.push(shown(reader, faultAt(at, `config.${code}`, message, hint, 'warning')));
}

/** What the key or sub-key that is being read comes to without any plan. */
export function remark(reader: Reader, at: Position, state: 'applied' | 'ignored', reason: string): void {
  const key = reader.path.join('.');
  if (reader.keys.length < 2 * FAULT_LIMIT)
    reader.keys.push({ key, state, file: at.source.display, line: at.line, reason });
}

/** `expected a text, found the number 12`. */
export function mismatch(reader: Reader, node: Located, wanted: string, hint?: string): undefined {
  const found = reader.secret || reader.unquoted === true ? '' : `, found ${described(node)}`;
  return fault(reader, node.at, 'type', `expected ${wanted}${found}`, hint);
}

function described(node: Located): string {
  if (node.kind !== 'scalar') return node.kind === 'list' ? 'a list' : 'a mapping';
  if (node.value === null) return 'nothing';
  if (typeof node.value === 'number') return `the number ${node.text}`;
  if (typeof node.value === 'boolean') return node.text;
  return `the text '${node.value.length > 40 ? `${node.value.slice(0, 37)}...` : node.value}'`;
}

function shown(reader: Reader, diagnostic: Diagnostic): Diagnostic {
  return reader.secret ? { ...diagnostic, sourceLine: '', column: 1, length: 1 } : diagnostic;
}
