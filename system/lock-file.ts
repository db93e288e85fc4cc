/** A file in /run that says who works. What a killed process left behind hinders nobody. */
import type { System } from './system.ts';

/** False where somebody else holds it. To be given back with `system.remove(path)`. */
export function takeLock(system: System, path: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    const fd = system.open(path, { access: 'write', create: { mode: 0o600, exclusive: true } });
    if (fd >= 0) {
      system.write(fd, system.encode(`${system.pid} ${startTime(system, system.pid) ?? '-'}\n`));
      system.close(fd);
      return true;
    }
    if (isLockHeld(system, path)) return false;
    system.remove(path);
  }
  return false;
}

const POLL_MS = 100;

export interface LockOptions {
  readonly patienceMs: number;
  /** Who holds it will not be done soon: no use in waiting. */
  readonly isLong?: () => boolean;
  /** What is thrown when it cannot be had. */
  readonly busy: () => Error;
  /** `takeLock` unless told. */
  readonly take?: (system: System, path: string) => boolean;
}

/** Runs `body` while nobody else holds it; waits for who does. */
export async function withLockFile<Result>(
  system: System,
  path: string,
  { patienceMs, isLong = () => false, busy, take = takeLock }: LockOptions,
  body: () => Promise<Result>,
): Promise<Result> {
  const limitMs = system.uptimeMs() + patienceMs;
  while (!take(system, path)) {
    if (isLong() || system.uptimeMs() >= limitMs) throw busy();
    await new Promise<void>((resolve) => void system.after(POLL_MS, resolve));
  }
  try {
    return await body();
  } finally {
    system.remove(path);
  }
}

/** Whether somebody who still runs holds it. */
export function isLockHeld(system: System, path: string): boolean {
  // The number may be another's by now; the pair of number and start time cannot.
  const [pid, started] = system.readText(path)?.trim().split(' ') ?? [];
  return started !== undefined && startTime(system, Number(pid)) === started;
}

/** Field 22 of /proc/PID/stat; the second, the name, may hold anything but ends at the last parenthesis. */
function startTime(system: System, pid: number): string | undefined {
  const text = system.readText(`/proc/${pid}/stat`);
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}
