/** `slip config confirm`: what is tried is kept. */
import type { System } from '../../../system/system.ts';
import { withLock } from '../lock.ts';
import { PATHS } from '../paths.ts';
import { publishStatus, readStatus, wakeSlipd } from '../status.ts';
import { forgetTried, readTried } from '../store/adopted.ts';
import { fail, print, type OutputFormat } from './output.ts';

const PATIENCE_MS = 30_000;

export async function confirm(system: System, format: OutputFormat): Promise<void> {
  await withLock(system, PATIENCE_MS, async () => {
    if (readTried(system) === undefined)
      return fail(system, format, 'config.nothing-tried', 'no configuration is being tried');
    await forgetTried(system);
    system.remove(PATHS.try);
    const status = readStatus(system);
    publishStatus(
      system,
      { ...status, state: status.state === 'trying' ? 'applied' : status.state, revertsAt: null },
      'quiet',
    );
    wakeSlipd(system);
    const message = 'the new configuration is kept';
    print(system, format === 'json' ? JSON.stringify({ message }) : message);
  });
}
