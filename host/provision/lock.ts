/** One provisioner at a time: a file in /run says who works. What a killed process left behind hinders nobody. */
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

const POLL_MS = 100;

/** Runs `body` while nobody else works; waits for who does, up to `patienceMs`. Throws when that does not end. */
export async function withLock<Result>(
  system: System,
  patienceMs: number,
  body: () => Promise<Result>,
): Promise<Result> {
  const untilMs = system.uptimeMs() + patienceMs;
  while (!take(system)) {
    if (system.uptimeMs() >= untilMs) throw new Error('another change of the configuration is under way');
    await new Promise<void>((resolve) => void system.after(POLL_MS, resolve));
  }
  try {
    return await body();
  } finally {
    system.remove(PATHS.lock);
  }
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
