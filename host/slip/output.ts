/** What `slip` says: text for people, JSON for programs, and how it ends. */
import type { System } from '../../system/system.ts';
import type { Failure } from './client.ts';

export type OutputFormat = 'text' | 'json';

export function print(system: System, text: string): void {
  writeAll(system, 1, text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints why, and exits 1. */
export function fail(system: System, failure: Failure, format: OutputFormat): never {
  if (format === 'json') {
    const { code, message, hint } = failure;
    writeAll(system, 1, `${JSON.stringify({ error: { code, message, hint } })}\n`);
  } else {
    // In raw mode a line feed alone does not go back to the first column.
    writeAll(system, 2, `\rslip: ${failure.message}\r\n`);
    if (failure.hint !== null) writeAll(system, 2, `  hint: ${failure.hint}\r\n`);
  }
  return system.exit(1);
}

/** Wrong use: exits 2. */
export function usage(system: System, message: string, hint: string): never {
  writeAll(system, 2, `slip: ${message}\n  hint: ${hint}\n`);
  return system.exit(2);
}

function writeAll(system: System, fd: number, text: string): void {
  let bytes = system.encode(text);
  while (bytes.length > 0) {
    const written = system.write(fd, bytes);
    if (written === 'failed') return;
    if (written !== 'again') bytes = bytes.subarray(written);
  }
}
