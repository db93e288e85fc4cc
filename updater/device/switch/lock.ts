/** One process at a time works on the ESP: slipd starts some, operators others. There is no flock, so a file says who. */
import { SlipwayError } from '../../../spec/error.ts';
import { withLockFile } from '../../../system/lock-file.ts';
import type { System } from '../../../system/system.ts';

const PATIENCE_MS = 120_000;

/** Waits for its turn; throws `switch.busy` after two minutes. `path` is that of what is guarded. */
export async function withLock<Result>(
  system: System,
  path: string,
  body: () => Promise<Result>,
): Promise<Result> {
  const lock = `${path}.lock`;
  const busy = (): SlipwayError =>
    new SlipwayError('switch.busy', 'another program works on what this machine starts from', {
      hint: `it has the process id that stands in ${lock}`,
    });
  return withLockFile(system, lock, { patienceMs: PATIENCE_MS, busy, take }, body);
}

function take(system: System, lock: string): boolean {
  const fd = system.open(lock, { access: 'write', create: { mode: 0o600, exclusive: true } });
  if (fd >= 0) {
    system.write(fd, system.encode(`${system.pid}\n`));
    system.close(fd);
    return true;
  }
  const holder = Number(system.readText(lock)?.trim() || '0');
  // Just made, its number is still to come; so only what has one, of a process that is gone, is taken away.
  if (holder > 1 && holder !== system.pid && !system.kill(holder, 0)) system.remove(lock);
  return false;
}
