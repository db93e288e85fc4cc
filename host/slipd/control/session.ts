/** A program that runs for a client: in a container, as a log reader, or as a root shell of the host. */
import type { Session } from '../../control/protocol.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT } from '../paths.ts';
import { openCommandEnd, openTerminal, type Admitted } from './admission.ts';
import type { Connection } from './connection.ts';
import { forgetSession, rememberSession } from './leftovers.ts';

export interface SessionProgram {
  /** Has to succeed before. */
  readonly before?: readonly string[];
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
  const ends = openEnds(system, admitted, session);
  let pid = -1;
  let over = false;
  let hungUp = false;

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
  if (program.before === undefined) return start();
  const before = system.spawn(program.before, {
    environment: ENVIRONMENT,
    stderr: 2,
    onExit: (code) =>
      code === 0 && !hungUp ? start() : fail('control.cannot-start', 'the session could not be prepared'),
  });
  if (before < 0) fail('control.cannot-start', 'the session could not be prepared');

  function start(): void {
    pid = system.spawn(program.argv, {
      stdin: ends[0]!,
      stdout: ends[1] ?? ends[0]!,
      stderr: ends[2] ?? ends[0]!,
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
    hungUp = true;
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

function openEnds(system: System, admitted: Admitted, session: Session): number[] {
  if (session.terminal !== null) return [openTerminal(system, admitted.uid, session.terminal)];
  return [
    openCommandEnd(system, admitted, 'in', 'read'),
    openCommandEnd(system, admitted, 'out', 'write'),
    openCommandEnd(system, admitted, 'err', 'write'),
  ];
}
