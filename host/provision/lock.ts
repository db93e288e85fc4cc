/** One provisioner at a time: a file in /run says who works. What a killed process left behind hinders nobody. */
import { withLockFile } from '../../system/lock-file.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Runs `body` while nobody else works; waits for who does, up to `patienceMs`. Throws when that does not end. */
export async function withLock<Result>(
  system: System,
  patienceMs: number,
  body: () => Promise<Result>,
): Promise<Result> {
  const busy = (): Error => new Error('another change of the configuration is under way');
  return withLockFile(system, PATHS.lock, { patienceMs, busy }, body);
}
