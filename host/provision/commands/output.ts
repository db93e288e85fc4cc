/** What the commands say: text for people, JSON for programs. */
import type { System } from '../../../system/system.ts';

export type OutputFormat = 'text' | 'json';

export function print(system: System, text: string): void {
  writeAll(system, 1, text.endsWith('\n') ? text : `${text}\n`);
}

/** Prints why, and exits 1. */
export function fail(
  system: System,
  format: OutputFormat,
  code: string,
  message: string,
  hint: string | null = null,
): never {
  if (format === 'json') print(system, JSON.stringify({ error: { code, message, hint } }));
  else writeAll(system, 2, `slip: ${message}\n${hint === null ? '' : `  hint: ${hint}\n`}`);
  return system.exit(1);
}

function writeAll(system: System, fd: number, text: string): void {
  let bytes = system.encode(text);
  while (bytes.length > 0) {
    const written = system.write(fd, bytes);
    if (written === 'failed') return;
    if (written !== 'again') bytes = bytes.subarray(written);
  }
}
