/** What the updater says: text for people, JSON for programs. */
import { SlipwayError } from '../../spec/error.ts';
import type { System } from '../../system/system.ts';

export interface Output {
  readonly format: 'text' | 'json';
  /** The result: as text, or as the object. */
  readonly result: (text: string, value: unknown) => void;
  /** What happens meanwhile: for people alone, on standard error. */
  readonly note: (text: string) => void;
}

export function createOutput(system: System, format: 'text' | 'json'): Output {
  return {
    format,
    result: (text, value) => {
      const line = format === 'json' ? JSON.stringify(value) : text;
      if (line !== '') write(system, 1, `${line}\n`);
    },
    note: (text) => {
      if (format === 'text') write(system, 2, `${text}\n`);
    },
  };
}

/** The error as the user meets it; standard output for programs, which read that. */
export function printError(
  system: System,
  format: 'text' | 'json',
  error: unknown,
  hints: 'with' | 'without' = 'with',
): void {
  const { code, message, hint } = describeError(error);
  if (format === 'json')
    write(system, 1, `${JSON.stringify({ error: { code, message, hint: hint ?? null } })}\n`);
  else
    write(
      system,
      2,
      `slip update: ${message}\n${hint === undefined || hints === 'without' ? '' : `  hint: ${hint}\n`}`,
    );
}

export function describeError(error: unknown): { code: string; message: string; hint: string | undefined } {
  if (error instanceof SlipwayError) return error;
  const message = error instanceof Error ? `${error.message}\n${error.stack ?? ''}`.trim() : String(error);
  return { code: 'update.internal', message, hint: 'this is a fault of Slipway itself' };
}

export function write(system: System, fd: number, text: string): void {
  let bytes = system.encode(text);
  while (bytes.length > 0) {
    const written = system.write(fd, bytes);
    // Nobody listens any more: what is under way goes on.
    if (written === 'failed') return;
    if (written !== 'again') bytes = bytes.subarray(written);
  }
}
