/** From what was thrown to what the user reads and the exit code: 1 the work failed, 2 wrong use, 3 a warning for monitoring. Only here are exit codes decided. */
import { CommanderError } from 'commander';
import { DiagnosticsError, formatDiagnostic } from '../spec/diagnostic.ts';
import { SlipwayError } from '../spec/error.ts';

/** Prints to stderr and returns the exit code. With `json`, prints one object `{error: ...}` to stdout instead. */
export function reportFailure(error: unknown, options: { json: boolean; debug: boolean }): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  // What JSON said already is not said again.
  const reported = error instanceof SlipwayError && error.code.endsWith('reported');
  if (reported) return error.code.startsWith('warning.') ? 3 : 1;
  if (options.json) process.stdout.write(`${JSON.stringify({ error: errorObject(error) }, null, 2)}\n`);
  else process.stderr.write(`${errorText(error, options.debug)}\n`);
  if (!(error instanceof SlipwayError)) return 1;
  return error.code.startsWith('usage.') ? 2 : error.code.startsWith('warning.') ? 3 : 1;
}

function errorText(error: unknown, debug: boolean): string {
  if (error instanceof DiagnosticsError)
    return [...error.diagnostics.map(formatDiagnostic), `slipway: ${error.message}`].join('\n\n');
  if (error instanceof SlipwayError) {
    const hint = error.hint === undefined ? [] : [`  hint: ${error.hint}`];
    const cause = error.cause instanceof Error ? (error.cause.stack ?? '') : '';
    const trace = debug ? [error.stack ?? '', cause] : [];
    return [`slipway: ${error.message}`, ...hint, ...trace].join('\n');
  }
  if (isSystemError(error))
    return `slipway: ${error.message}${error.code === 'ENOSPC' ? '\n  hint: the disk is full; free some space and run it again' : ''}`;
  return `slipway: internal error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
}

function errorObject(error: unknown): Record<string, unknown> {
  if (error instanceof DiagnosticsError)
    return { code: error.code, message: error.message, diagnostics: error.diagnostics };
  if (error instanceof SlipwayError) return { code: error.code, message: error.message, hint: error.hint };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}
