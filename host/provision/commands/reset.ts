/** `slip config reset`: the machine forgets whom it was adopted by. What it is stays until the next boot. */
import type { System } from '../../../system/system.ts';
import { forgetMarks } from '../store/marks.ts';
import { withLock } from '../lock.ts';
import { PATHS } from '../paths.ts';
import { forgetAdopted, forgetTried } from '../store/adopted.ts';
import { forgetLooked } from '../store/looked.ts';
import { forgetRestore } from '../store/restore.ts';
import { print, type OutputFormat } from './output.ts';

const PATIENCE_MS = 30_000;

export async function reset(system: System, format: OutputFormat): Promise<void> {
  await withLock(system, PATIENCE_MS, async () => {
    await forgetAdopted(system);
    await forgetTried(system);
    await forgetRestore(system);
    await forgetMarks(system);
    await forgetLooked(system);
    system.remove(PATHS.try);
  });
  const message =
    'the adopted configuration is forgotten; at the next boot any source that the image allows is heard';
  print(system, format === 'json' ? JSON.stringify({ message }) : message);
}
