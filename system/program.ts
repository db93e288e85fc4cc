/** Programs of the machine for one-shot code: run to the end, or read from as they write. Argv arrays, never a shell. */
import { concatenate } from './bytes.ts';
import type { System } from './system.ts';

export interface ProgramResult {
  /** Exit code, or 128 + signal; 127 when it could not be started. */
  readonly code: number;
  readonly stdout: Uint8Array;
}

export interface RunningProgram {
  /** Waits for some bytes; empty at the end. */
  readonly read: (maxBytes: number) => Uint8Array;
  /** Ends it if it still runs (its output is no longer wanted); the exit code. */
  readonly end: () => Promise<number>;
  /** Resolves with the exit code; only after `read` has come to the end. */
  readonly exited: Promise<number>;
}

export interface ProgramOptions {
  /** File that becomes its standard input; nothing without. */
  readonly stdinPath?: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** More output than this ends it, and throws. Default 1 MiB. */
  readonly limitBytes?: number;
}

const SIGTERM = 15;
const READ_BYTES = 65_536;

/** Runs to the end. Standard error is the caller's own. Throws only when it prints more than `limitBytes`. */
export async function runProgram(
  system: System,
  argv: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const limitBytes = options.limitBytes ?? 1_048_576;
  const program = startProgram(system, argv, options);
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (let chunk = program.read(READ_BYTES); chunk.length > 0; chunk = program.read(READ_BYTES)) {
    chunks.push(chunk);
    total += chunk.length;
    if (total <= limitBytes) continue;
    await program.end();
    throw new Error(`${argv[0] ?? ''} printed more than ${limitBytes} bytes`);
  }
  return { code: await program.exited, stdout: concatenate(chunks) };
}

/** Starts it; its output is read as it comes. */
export function startProgram(
  system: System,
  argv: readonly string[],
  options: ProgramOptions = {},
): RunningProgram {
  const ends = system.pipe();
  const stdin =
    options.stdinPath === undefined ? undefined : system.open(options.stdinPath, { access: 'read' });
  let pid = -1;
  let open = true;
  const exited = new Promise<number>((resolve) => {
    pid = system.spawn(argv, {
      stdout: ends.write,
      stderr: 2,
      onExit: resolve,
      ...(stdin === undefined || stdin < 0 ? {} : { stdin }),
      ...(options.environment === undefined ? {} : { environment: options.environment }),
    });
    if (pid < 0) resolve(127);
  });
  system.close(ends.write);
  if (stdin !== undefined && stdin >= 0) system.close(stdin);
  const closeOutput = (): void => {
    if (open) system.close(ends.read);
    open = false;
  };
  return {
    read: (maxBytes) => {
      if (!open) return new Uint8Array(0);
      const bytes = system.read(ends.read, maxBytes);
      if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
      closeOutput();
      return new Uint8Array(0);
    },
    end: () => {
      if (pid >= 0) system.kill(pid, SIGTERM);
      closeOutput();
      return exited;
    },
    exited,
  };
}
