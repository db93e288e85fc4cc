/** One splitting of a source's bytes into documents: what was found so far, and what was wrong. */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import { faultAt, type Position, type SourceFile } from '../../../spec/located.ts';
import type { KeyStatus } from '../../../spec/provisioning.ts';

export interface Part {
  /** As messages show it. */
  readonly name: string;
  readonly kind: 'cloud-config' | 'script';
  readonly text: string;
  /** Of a script. */
  readonly when?: 'boot' | 'instance' | 'once';
  /** The name that the archive gives it. */
  readonly fileName?: string;
}

export interface Context {
  /** `v1`, `ds` and their aliases, for `## template: jinja`; absent on a workstation, where nobody knows the machine. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /**
   * What stands at an address of `#include`; `once`: kept for the instance. `undefined`: it could not be had. `later`: not before there is a
   * network. Absent where nothing is to be fetched, as on a workstation.
   */
  readonly fetch?: (url: string, once: boolean) => Promise<Uint8Array | 'later' | undefined>;
  /** Unpacks gzip; `undefined`: it is broken, or larger than the limit. */
  readonly inflate: (bytes: Uint8Array, limitBytes: number) => Promise<Uint8Array | undefined>;
}

export interface Splitting {
  readonly context: Context;
  readonly parts: Part[];
  readonly diagnostics: Diagnostic[];
  readonly keys: KeyStatus[];
  count: number;
  includes: number;
  unpackedBytes: number;
}

/** A document, or something in it, that cannot be used. */
export function refuse(
  splitting: Splitting,
  source: SourceFile,
  line: number,
  code: string,
  message: string,
  hint?: string,
): void {
  const at = lineAt(source, line);
  splitting.diagnostics.push(faultAt(at, `document.${code}`, message, hint));
  splitting.keys.push({ key: 'document', state: 'failed', file: source.display, line, reason: message });
}

export function lineAt(source: SourceFile, line: number): Position {
  return { source, line, column: 1, length: Math.max(1, source.lines[line - 1]?.length ?? 1) };
}

export function sourceOf(name: string, text: string): SourceFile {
  return { path: name, display: name, lines: text.split('\n') };
}

/** A name from outside, fit for a message. */
export function printable(name: string): string {
  return name.replace(/[^\x20-\x7e]/g, '?').slice(0, 80);
}
