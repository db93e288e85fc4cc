import { SlipwayError } from './error.ts';

/** A fault in a file that a user wrote. Lines and columns count from 1. */
export interface Diagnostic {
  readonly severity: 'error' | 'warning';
  /** Stable, `area.what`. */
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** How many columns the caret underlines; 1 unless told. */
  readonly length?: number;
  /** The whole source line, for display. */
  readonly sourceLine: string;
  readonly hint?: string;
}

/** Thrown once all faults of a set of files are collected. */
export class DiagnosticsError extends SlipwayError {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((diagnostic) => diagnostic.severity === 'error').length;
    super('input.invalid', `${errors} ${errors === 1 ? 'fault' : 'faults'} in the input`);
    this.name = 'DiagnosticsError';
    this.diagnostics = diagnostics;
  }
}

/** One diagnostic as text: `file:line:column: error: message`, the source line, a caret, the hint. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message, sourceLine, hint } = diagnostic;
  const gutter = String(line);
  const underline = '^'.repeat(Math.max(1, Math.min(diagnostic.length ?? 1, sourceLine.length - column + 1)));
  const lines = [
    `${file}:${line}:${column}: ${severity}: ${message}`,
    `  ${gutter} | ${sourceLine}`,
    `  ${' '.repeat(gutter.length)} | ${' '.repeat(column - 1)}${underline}`,
  ];
  if (hint !== undefined) lines.push(`  hint: ${hint}`);
  return lines.join('\n');
}
