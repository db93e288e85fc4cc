/** One update at a time: a file in /run says who works. What a killed process left behind hinders nobody (failure 3). */
import { SlipwayError } from '../../spec/error.ts';
import { UPDATE_PATHS } from '../../spec/update.ts';
import { isLockHeld, takeLock } from '../../system/lock-file.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Who only looks for something new is done by then. */
const PATIENCE_MS = 15_000;
const POLL_MS = 100;

/** Runs `body` while nobody else works. Throws `update.busy`: at once where an update is being fetched or written, else after 15 seconds. */
export async function withUpdateLock<Result>(system: System, body: () => Promise<Result>): Promise<Result> {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  const limitMs = system.uptimeMs() + PATIENCE_MS;
  while (!takeLock(system, PATHS.lock)) {
    if (system.status(PATHS.progress) !== undefined || system.uptimeMs() > limitMs) {
      const holder = system.readText(PATHS.lock)?.split(' ')[0] ?? '?';
      throw new SlipwayError('update.busy', `another update is under way (process ${holder})`, {
        hint: 'slip update status tells how far it is',
      });
    }
    await new Promise<void>((resolve) => void system.after(POLL_MS, resolve));
  }
  try {
    return await body();
  } finally {
    system.remove(PATHS.lock);
  }
}

/** Whether somebody works now. */
export function isLocked(system: System): boolean {
  return isLockHeld(system, PATHS.lock);
}
