/**
 * Commands that ran for clients of a slipd that was killed: their clients know already that it went away, and a terminal cannot serve
 * two masters. What was started is written down, and ended by the next slipd.
 */
import type { System } from '../../../system/system.ts';
import { PATHS } from '../paths.ts';

const SIGHUP = 1;

export function rememberSession(system: System, id: string, pid: number): void {
  system.makeDirectory(PATHS.sessions, 0o700);
  system.writeText(`${PATHS.sessions}/${id}`, `${pid} ${startTime(system, pid) ?? '-'}\n`);
}

export function forgetSession(system: System, id: string): void {
  system.remove(`${PATHS.sessions}/${id}`);
}

export function endLeftovers(system: System): void {
  for (const id of system.list(PATHS.sessions)) {
    const [pid, started] = (system.readText(`${PATHS.sessions}/${id}`) ?? '').trim().split(' ');
    // The number may be another's by now; the pair of number and start time cannot.
    if (started !== undefined && startTime(system, Number(pid)) === started) system.kill(Number(pid), SIGHUP);
    system.remove(`${PATHS.sessions}/${id}`);
  }
}

/** Field 22 of /proc/PID/stat; the second, the name, may hold anything but ends at the last parenthesis. */
function startTime(system: System, pid: number): string | undefined {
  const text = system.readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
