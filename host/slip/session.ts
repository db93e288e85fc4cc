/** A command on the other side of slipd, tied to this process's terminal or to its three streams. */
import { CONTROL, type Request, type Session } from '../control/protocol.ts';
import type { System } from '../system/system.ts';
import { ask } from './client.ts';
import { fail } from './output.ts';

const STREAMS = ['in', 'out', 'err'] as const;
const FORWARDED = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1, SIGQUIT: 3 } as const;
const SIGTERM = 15;

/** The terminal that standard input and output are, when both are one. */
export function terminalOf(system: System, wanted: 'auto' | 'never'): Session {
  const termType = /^[A-Za-z0-9._+-]{1,64}$/.exec(system.environment('TERM') ?? '')?.[0] ?? 'linux';
  if (wanted === 'never' || !system.isTerminal(0) || !system.isTerminal(1))
    return { terminal: null, termType };
  return { terminal: system.readLink('/proc/self/fd/0') ?? null, termType };
}

/** Runs it to its end and exits as it did. `input`: whether standard input goes along. */
export function runRemote(
  system: System,
  request: Request,
  terminal: string | null,
  input: 'forward' | 'none',
): void {
  if (terminal !== null) return onTerminal(system, request);
  const held: number[] = [];
  const ends: number[] = [];
  const copiers = new Set<number>();
  let inputPid = -1;
  let exitCode: number | undefined;

  const exchange = ask(system, request, STREAMS, {
    prepared: (id) => {
      for (const stream of STREAMS) {
        const path = `${CONTROL.requests}/${id}.${stream}`;
        // Both sides first: neither end then waits for the other.
        const both = system.open(path, { access: 'read-write', nonBlocking: true });
        held.push(both);
        ends.push(system.open(`/proc/self/fd/${both}`, { access: stream === 'in' ? 'write' : 'read' }));
      }
    },
    reply: (message) => {
      if (message.type === 'running') copy();
      if (message.type === 'exit') {
        exitCode = message.code;
        leave();
      }
    },
    failed: (failure) => fail(system, failure, 'text'),
  });
  for (const [name, number] of Object.entries(FORWARDED))
    system.onSignal(name as keyof typeof FORWARDED, () => exchange.send(`signal ${number}`));

  /** The kernel's speed, not ours; in sessions of their own, so that Ctrl-C ends the command and not its output. */
  function copy(): void {
    held.forEach((fd) => system.close(fd));
    const [stdin = -1, stdout = -1, stderr = -1] = ends;
    if (input === 'forward')
      inputPid = system.spawn(['cat'], { stdin: 0, stdout: stdin, onExit: () => undefined });
    for (const [from, to] of [
      [stdout, 1],
      [stderr, 2],
    ] as const) {
      const pid = system.spawn(['setsid', 'cat'], {
        stdin: from,
        stdout: to,
        stderr: 2,
        onExit: () => {
          copiers.delete(pid);
          leave();
        },
      });
      copiers.add(pid);
    }
    ends.forEach((fd) => system.close(fd));
  }

  function leave(): void {
    if (exitCode === undefined || copiers.size > 0) return;
    if (inputPid > 0) system.kill(inputPid, SIGTERM);
    system.exit(exitCode);
  }
}

/** crun copies between our terminal and the command's own; here it only stays raw, and tells of a new size. */
function onTerminal(system: System, request: Request): void {
  const exchange = ask(system, request, [], {
    reply: (message) => {
      if (message.type === 'exit') system.exit(message.code);
    },
    failed: (failure) => fail(system, failure, 'text'),
  });
  system.setRawTerminal(0);
  system.onSignal('SIGWINCH', () => exchange.send('winch'));
  system.onSignal('SIGHUP', () => system.exit(129));
  system.onSignal('SIGTERM', () => system.exit(143));
}
