/**
 * Which configuration failed under a version that was kept. A version on trial is not to blame for what failed before it: it would be given up
 * for ever, and no update would ever reach this machine.
 */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { readBounded, removeDurable, writeDurable } from './durable.ts';

const NAME = 'failure';
const LIMIT_BYTES = 128;

/** Whether this failure is the version's own. `digest`: of the configuration; `null`: none could be read. */
export async function isOwnFailure(system: System, failed: boolean, digest: string | null): Promise<boolean> {
  const trial = system.readText('/run/slipway/boot/trial')?.trim() === '1';
  const bytes = readBounded(system, `${PROVISIONING_PATHS.state}/${NAME}`, LIMIT_BYTES);
  const known = bytes === undefined ? undefined : system.decode(bytes).trim();
  const now = digest ?? 'unreadable';
  if (trial) return failed && known !== now;
  if (!failed) await removeDurable(system, PROVISIONING_PATHS.state, [NAME]).catch(() => undefined);
  else if (known !== now)
    await writeDurable(system, PROVISIONING_PATHS.state, [
      { name: NAME, bytes: system.encode(`${now}\n`) },
    ]).catch(() => undefined);
  return failed;
}
