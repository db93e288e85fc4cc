/** A command on the other side of slipd, tied to this process's terminal or to its three streams. */
import { CONTROL, type Request, type Session } from '../control/protocol.ts';
import type { System } from '../../system/system.ts';
import { ask, type Exchange } from './client.ts';
import { fail } from './output.ts';
import { startRelay } from './relay.ts';

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

/** Runs it to its end and exits as it did. `input`: whether standard input, or an open file, goes along. */
export function runOnStreams(
  system: System,
  request: Request,
  input: 'forward' | 'none' | { readonly fd: number },
): void {
  let streams: readonly Stream[] = [];
  const copiers = new Set<number>();
  let inputPid = -1;
  let exitCode: number | undefined;

  const exchange = ask(system, request, STREAMS, {
    prepared: (id) => {
      streams = STREAMS.map((name) => openStream(system, id, name));
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
    const [stdin, stdout, stderr] = streams.map((stream) => {
      system.close(stream.held);
      return stream.end;
    });
    if (input !== 'none')
      inputPid = system.spawn(['cat'], {
        stdin: input === 'forward' ? 0 : input.fd,
        stdout: stdin!,
        onExit: () => undefined,
      });
    for (const [from, to] of [
      [stdout!, 1],
      [stderr!, 2],
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
    for (const stream of streams) system.close(stream.end);
  }

  function leave(): void {
    if (exitCode === undefined || copiers.size > 0) return;
    if (inputPid > 0) system.kill(inputPid, SIGTERM);
    system.exit(exitCode);
  }
}

/** The program on the other side makes our terminal raw, reads it, and writes to it, or to us: then we pass it on. */
export function runOnTerminal(system: System, request: Request, output: 'terminal' | 'fifo'): void {
  let out: Stream | undefined;
  let exitCode: number | undefined;
  let drained = output === 'terminal';
  const leave = (): void => {
    if (exitCode !== undefined && drained) system.exit(exitCode);
  };
  const exchange: Exchange = ask(system, request, output === 'fifo' ? ['out'] : [], {
    prepared: (id) => {
      if (output === 'terminal') return;
      out = openStream(system, id, 'out', true);
      // From now on, since a quick command fills the FIFO before we hear that it runs.
      startRelay(system, out.end, 1, () => {
        drained = true;
        leave();
      });
    },
    reply: (message) => {
      if (message.type === 'running' && out !== undefined) system.close(out.held);
      if (message.type !== 'exit') return;
      exitCode = message.code;
      leave();
    },
    failed: (failure) => fail(system, failure, 'text'),
  });
  system.onSignal('SIGWINCH', () => exchange.send('winch'));
  system.onSignal('SIGHUP', () => system.exit(129));
  system.onSignal('SIGTERM', () => system.exit(143));
}

/** Our end of a FIFO, and both ends, held until slipd has opened its own: no side then waits for the other, or sees it gone. */
interface Stream {
  readonly held: number;
  readonly end: number;
}

function openStream(system: System, id: string, name: (typeof STREAMS)[number], nonBlocking = false): Stream {
  const held = system.open(`${CONTROL.requests}/${id}.${name}`, { access: 'read-write', nonBlocking: true });
  const end = system.open(`/proc/self/fd/${held}`, { access: name === 'in' ? 'write' : 'read', nonBlocking });
  return { held, end };
}
