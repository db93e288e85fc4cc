/** Long-running programs (QEMU, swtpm) that never outlive this process. */
import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';
import { processEnvironment } from '../builder/process/run.ts';

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last of what it wrote to standard error. */
  readonly stderr: string;
}

export interface Child {
  readonly exited: Promise<ChildExit>;
  /** SIGKILL, at once: also how a power cut is played. */
  readonly kill: () => void;
}

// QEMU 10.0 has no exit-with-parent. The watcher holds the read end of a pipe whose write end only we have: when we end, in whatever
// way, it reads end-of-file and kills the program. As their common parent the shell reaps both, so that no stale process id is ever hit.
const WATCHER = `
"$@" 3<&- </dev/null &
child=$!
{ read -r _ <&3; kill -9 "$child"; } 2>/dev/null &
watcher=$!
exec 3<&-
wait "$child"
code=$?
kill "$watcher" 2>/dev/null
exit "$code"
`;
const STDERR_KEPT = 16 * 1024;

/** Starts a program in a session of its own (Ctrl-C on our terminal is ours to handle). */
export function startChild(argv: readonly string[]): Child {
  const child = spawn('/bin/sh', ['-c', WATCHER, 'sh', ...argv], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    detached: true,
    env: processEnvironment(),
  });
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr = (stderr + chunk.toString('utf8')).slice(-STDERR_KEPT);
  });
  const leash = child.stdio[3] as Writable;
  leash.on('error', () => undefined);
  const exited = new Promise<ChildExit>((resolve) => {
    child.on('error', (error) => {
      resolve({ code: null, signal: null, stderr: error.message });
    });
    child.on('close', (code, signal) => {
      resolve({ code, signal, stderr: stderr.trim() });
    });
  });
  return {
    exited,
    kill: () => {
      leash.destroy();
    },
  };
}
