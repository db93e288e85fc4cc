/** The one door to other programs (style.md 3): argv arrays, explicit environment, closed stdin, time limit. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { execa } from 'execa';
import { SlipwayError } from '../../spec/error.ts';

export interface RunOptions {
  /** Added to the fixed environment (`LC_ALL=C.UTF-8`, `TZ=UTC`, `PATH`, `HOME`). */
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: Uint8Array | string | Readable;
  readonly timeoutMs?: number;
  /** Writes what the program prints into this (new) file instead of memory. */
  readonly outputFile?: string;
  /** Called with both of its outputs as they come, beside keeping them. */
  readonly onOutput?: (text: string) => void;
  /** What to tell the user when it fails. */
  readonly hint?: string;
}

export interface RunResult {
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a program to its end. Throws `process.failed` with the quoted command and both streams when it exits non-zero. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program, ...args] = argv;
  if (program === undefined) throw new Error('run: empty argv');
  const output = options.outputFile === undefined ? undefined : await open(options.outputFile, 'wx');
  const child = execa(program, args, {
    env: processEnvironment(options.environment),
    extendEnv: false,
    encoding: 'buffer',
    stripFinalNewline: false,
    reject: false,
    maxBuffer: 512 * 1024 * 1024,
    timeout: options.timeoutMs ?? 600_000,
    // execa's types know the standard descriptors alone; it hands any on.
    stdout: (output?.fd as 1 | undefined) ?? 'pipe',
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
  });
  const { onOutput } = options;
  if (onOutput !== undefined)
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Uint8Array) => onOutput(Buffer.from(chunk).toString('utf8')));
  const result = await child.finally(() => output?.close());
  const stdout = Buffer.from(result.stdout ?? new Uint8Array());
  const stderr = Buffer.from(result.stderr).toString('utf8');
  if (result.failed) throw failure(argv, result, stdout, stderr, options.hint);
  return { stdout, stderr };
}

/** What every program sees: nothing of the user's locale, time zone or configuration. */
export function processEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    PATH: process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: process.env['HOME'] ?? '/',
    ...extra,
  };
}

/** A command as one could paste it into a shell. */
export function quoteCommand(argv: readonly string[]): string {
  return argv
    .map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`))
    .join(' ');
}

function failure(
  argv: readonly string[],
  result: {
    exitCode?: number | undefined;
    signal?: string | undefined;
    timedOut: boolean;
    code?: string | undefined;
  },
  stdout: Buffer,
  stderr: string,
  hint: string | undefined,
): SlipwayError {
  const how = result.timedOut
    ? 'ran out of time'
    : result.code === 'ENOENT'
      ? 'is not installed'
      : result.signal !== undefined
        ? `was ended by ${result.signal}`
        : `failed with exit code ${result.exitCode ?? '?'}`;
  const tail = (text: string): string => text.trimEnd().split('\n').slice(-20).join('\n');
  const message = [
    `${argv[0]} ${how}: ${quoteCommand(argv)}`,
    tail(stderr),
    stderr.trim() === '' ? tail(stdout.subarray(-4000).toString('utf8')) : '',
  ];
  return new SlipwayError('process.failed', message.filter((part) => part !== '').join('\n'), {
    ...(hint === undefined ? {} : { hint }),
  });
}
