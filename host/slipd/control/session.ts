/** A program that runs for a client: in a container, as a log reader, or as a root shell of the host. */
import type { Session } from '../../control/protocol.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT } from '../paths.ts';
import { openCommandEnd, openTerminal, type Admitted } from './admission.ts';
import type { Connection } from './connection.ts';

export interface SessionProgram {
  readonly argv: readonly string[];
  /** Where crun writes the id of the command's first process. */
  readonly pidFile: string | null;
  readonly ended?: () => void;
}

const SIGHUP = 1;
const SIGKILL = 9;
const SIGWINCH = 28;
/** After a client's death its command is asked to go, then made to. */
const HANG_UP_GRACE_MS = 2_000;
/** What a client may pass on: INT, TERM, HUP, QUIT, USR1, USR2. */
const PASSED_ON = new Set([1, 2, 3, 10, 12, 15]);

/** Starts it with the client's terminal or FIFOs and ties both lives together. */
export function runSession(
  system: System,
  admitted: Admitted,
  connection: Connection,
  session: Session,
  program: SessionProgram,
): void {
  const terminal = session.terminal;
  const ends =
    terminal === null
      ? [
          openCommandEnd(system, admitted, 'in', 'read'),
          openCommandEnd(system, admitted, 'out', 'write'),
          openCommandEnd(system, admitted, 'err', 'write'),
        ]
      : [openTerminal(system, admitted.uid, terminal)];
  const closeEnds = (): void => ends.filter((fd) => fd >= 0).forEach((fd) => system.close(fd));
  if (ends.some((fd) => fd < 0)) {
    closeEnds();
    program.ended?.();
    const message =
      terminal === null ? 'the FIFOs of the request are not there' : `${terminal} is not your terminal`;
    connection.reply({ type: 'error', code: 'control.no-streams', message, hint: null });
    return connection.end();
  }
  let running = true;
  const pid = system.spawn(program.argv, {
    stdin: ends[0]!,
    stdout: ends[1] ?? ends[0]!,
    stderr: ends[2] ?? ends[0]!,
    environment: { ...ENVIRONMENT, TERM: session.termType },
    onExit: (code) => {
      running = false;
      program.ended?.();
      connection.reply({ type: 'exit', code });
      connection.end();
    },
  });
  closeEnds();
  if (pid < 0) {
    program.ended?.();
    connection.reply({
      type: 'error',
      code: 'control.cannot-start',
      message: 'the command could not be started',
      hint: null,
    });
    return connection.end();
  }
  connection.reply({ type: 'running' });

  connection.onLine = (line) => {
    if (!running) return;
    if (line === undefined) return hangUp();
    if (line === 'winch') system.kill(pid, SIGWINCH);
    const signal = Number(/^signal (\d{1,2})$/.exec(line)?.[1] ?? '0');
    if (PASSED_ON.has(signal)) system.kill(pid, signal);
  };

  function hangUp(): void {
    system.kill(pid, SIGHUP);
    system.after(HANG_UP_GRACE_MS, () => {
      if (!running) return;
      const inner = program.pidFile === null ? 0 : Number(system.readText(program.pidFile)?.trim() || '0');
      if (inner > 1) system.kill(inner, SIGKILL);
      system.kill(pid, SIGKILL);
    });
  }
}
