/** One update at a time: a file in /run says who works. What a killed process left behind hinders nobody (failure 3). */
import { SlipwayError } from '../../spec/error.ts';
import { UPDATE_PATHS } from '../../spec/update.ts';
import { isLockHeld, withLockFile } from '../../system/lock-file.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Who only looks for something new is done by then. */
const PATIENCE_MS = 15_000;

/** Runs `body` while nobody else works. Throws `update.busy`: at once where an update is being fetched or written, else after 15 seconds. */
export async function withUpdateLock<Result>(system: System, body: () => Promise<Result>): Promise<Result> {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  const busy = (): SlipwayError => {
    const holder = system.readText(PATHS.lock)?.split(' ')[0] ?? '?';
    return new SlipwayError('update.busy', `another update is under way (process ${holder})`, {
      hint: 'slip update status tells how far it is',
    });
  };
  const isLong = (): boolean => system.status(PATHS.progress) !== undefined;
  return withLockFile(system, PATHS.lock, { patienceMs: PATIENCE_MS, isLong, busy }, body);
}

/** Whether somebody works now. */
export function isLocked(system: System): boolean {
  return isLockHeld(system, PATHS.lock);
}
