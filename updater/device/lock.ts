/** One update at a time: a file in /run says who works. What a killed process left behind hinders nobody (failure 3). */
import { SlipwayError } from '../../spec/error.ts';
import { UPDATE_PATHS } from '../../spec/update.ts';
import { isLockHeld, takeLock } from '../../system/lock-file.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Runs `body` while nobody else works. Throws `update.busy` at once when somebody does. */
export async function withUpdateLock<Result>(system: System, body: () => Promise<Result>): Promise<Result> {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  if (!takeLock(system, PATHS.lock)) {
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
  return isLockHeld(system, PATHS.lock);
}
