/** One update at a time: a file in /run says who works. What a killed process left behind hinders nobody (failure 3). */
import { SlipwayError } from '../../spec/error.ts';
import { UPDATE_PATHS } from '../../spec/update.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Runs `body` while nobody else works. Throws `update.busy` at once when somebody does. */
export async function withUpdateLock<Result>(system: System, body: () => Promise<Result>): Promise<Result> {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  if (!take(system)) {
    const holder = system.readText(PATHS.lock)?.split(' ')[0] ?? '?';
    throw new SlipwayError('update.busy', `another update is under way (process ${holder})`, {
      hint: 'slip update status tells how far it is',
    });
  }
  try {
    return await body();
  } finally {
    system.remove(PATHS.lock);
  }
}

/** Whether somebody works now. */
export function isLocked(system: System): boolean {
  const text = system.readText(PATHS.lock);
  return text !== undefined && isAlive(system, text);
}

function take(system: System): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    const fd = system.open(PATHS.lock, { access: 'write', create: { mode: 0o600, exclusive: true } });
    if (fd >= 0) {
      system.write(fd, system.encode(`${system.pid} ${startTime(system, system.pid) ?? '-'}\n`));
      system.close(fd);
      return true;
    }
    const text = system.readText(PATHS.lock);
    if (text !== undefined && isAlive(system, text)) return false;
    system.remove(PATHS.lock);
  }
  return false;
}

/** The number may be another's by now; the pair of number and start time cannot. */
function isAlive(system: System, text: string): boolean {
  const [pid, started] = text.trim().split(' ');
  return started !== undefined && startTime(system, Number(pid)) === started;
}

/** Field 22 of /proc/PID/stat; the second, the name, may hold anything but ends at the last parenthesis. */
function startTime(system: System, pid: number): string | undefined {
  const text = system.readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
