/** One provisioner at a time: a file in /run says who works. What a killed process left behind hinders nobody. */
import { takeLock } from '../../system/lock-file.ts';
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
  while (!takeLock(system, PATHS.lock)) {
    if (system.uptimeMs() >= untilMs) throw new Error('another change of the configuration is under way');
    await new Promise<void>((resolve) => void system.after(POLL_MS, resolve));
  }
  try {
    return await body();
  } finally {
    system.remove(PATHS.lock);
  }
}
