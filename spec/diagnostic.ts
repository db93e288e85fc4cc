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

/** Longer source lines are shown in part, around the column. */
const SHOWN_COLUMNS = 160;

/** One diagnostic as text: `file:line:column: error: message`, the source line, a caret, the hint. */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { file, line, column, severity, message, sourceLine, hint } = diagnostic;
  const gutter = String(line);
  const isLong = sourceLine.length > SHOWN_COLUMNS;
  const start = isLong ? Math.max(0, column - 1 - SHOWN_COLUMNS / 2) : 0;
  const shown = sourceLine.slice(start, start + SHOWN_COLUMNS);
  const before = column - 1 - start;
  const underline = '^'.repeat(Math.max(1, Math.min(diagnostic.length ?? 1, shown.length - before)));
  const lines = [
    `${visible(file)}:${line}:${column}: ${severity}: ${visible(message)}`,
    `  ${gutter} | ${visible(shown)}`,
    `  ${' '.repeat(gutter.length)} | ${' '.repeat(before)}${underline}`,
  ];
  if (hint !== undefined) lines.push(`  hint: ${visible(hint)}`);
  return lines.join('\n');
}

/** A file may hold escape sequences; a terminal must not obey them. Each becomes one column, so that the caret stays right. */
function visible(text: string): string {
  const plain = text.replace(/\t/g, ' ');
  // eslint-disable-next-line no-control-regex
  return plain.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
