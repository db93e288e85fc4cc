/** A program that runs for a client: in a container, as a log reader, or as a root shell of the host. */
import type { Session } from '../../control/protocol.ts';
import type { System } from '../../../system/system.ts';
import { ENVIRONMENT } from '../paths.ts';
import { openCommandEnd, openTerminal, type Admitted } from './admission.ts';
import type { Connection } from './connection.ts';
import { forgetSession, rememberSession } from './leftovers.ts';

export interface SessionProgram {
  readonly argv: readonly string[];
  /** Where crun writes the id of the command's first process. */
  readonly pidFile: string | null;
  /**
   * With a terminal: where the output goes. crun (1.21 to 1.28) loses output where its reader is slower than the command, as a terminal is:
   * its goes to the client through a FIFO, which the client never lets fill.
   */
  readonly output: 'terminal' | 'fifo';
  readonly ended?: () => void;
}

const SIGHUP = 1;
const SIGKILL = 9;
const SIGWINCH = 28;
/** After a client's death its command is asked to go, then made to. */
const HANG_UP_GRACE_MS = 2_000;
/** What a client may pass on: HUP, INT, QUIT, USR1, USR2, TERM. */
const PASSED_ON = new Set([1, 2, 3, 10, 12, 15]);

/** Starts it with the client's terminal or FIFOs and ties both lives together. */
export function runSession(
  system: System,
  admitted: Admitted,
  connection: Connection,
  session: Session,
  program: SessionProgram,
): void {
  const ends = openEnds(system, admitted, session, program);
  let pid = -1;
  let over = false;

  if (ends.some((fd) => fd < 0)) {
    const what =
      session.terminal === null ? 'the FIFOs of the request are not there' : 'this is not your terminal';
    return fail('control.no-streams', what);
  }
  connection.onLine = (line) => {
    if (line === undefined) return hangUp();
    if (pid < 0 || over) return;
    if (line === 'winch') system.kill(pid, SIGWINCH);
    const signal = Number(/^signal (\d{1,2})$/.exec(line)?.[1] ?? '0');
    if (PASSED_ON.has(signal)) system.kill(pid, signal);
  };
  start();

  function start(): void {
    pid = system.spawn(program.argv, {
      stdin: ends[0]!,
      stdout: ends[1] ?? ends[0]!,
      stderr: ends[2] ?? ends[1] ?? ends[0]!,
      environment: { ...ENVIRONMENT, TERM: session.termType },
      onExit: (code) => {
        finish();
        connection.reply({ type: 'exit', code });
        connection.end();
      },
    });
    if (pid < 0) return fail('control.cannot-start', 'the command could not be started');
    closeEnds();
    rememberSession(system, admitted.id, pid);
    connection.reply({ type: 'running' });
  }

  function hangUp(): void {
    if (pid < 0 || over) return;
    system.kill(pid, SIGHUP);
    system.after(HANG_UP_GRACE_MS, () => {
      if (over) return;
      const inner = program.pidFile === null ? 0 : Number(system.readText(program.pidFile)?.trim() || '0');
      if (inner > 1) system.kill(inner, SIGKILL);
      system.kill(pid, SIGKILL);
    });
  }

  function fail(code: string, message: string): void {
    finish();
    connection.reply({ type: 'error', code, message, hint: null });
    connection.end();
  }

  function finish(): void {
    if (over) return;
    over = true;
    closeEnds();
    forgetSession(system, admitted.id);
    program.ended?.();
  }

  function closeEnds(): void {
    for (const fd of ends.splice(0)) if (fd >= 0) system.close(fd);
  }
}

function openEnds(system: System, admitted: Admitted, session: Session, program: SessionProgram): number[] {
  if (session.terminal === null)
    return [
      openCommandEnd(system, admitted, 'in', 'read'),
      openCommandEnd(system, admitted, 'out', 'write'),
      openCommandEnd(system, admitted, 'err', 'write'),
    ];
  const terminal = openTerminal(system, admitted.uid, session.terminal);
  return program.output === 'terminal'
    ? [terminal]
    : [terminal, openCommandEnd(system, admitted, 'out', 'write')];
}
