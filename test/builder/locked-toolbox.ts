/** The tools that images are built with, for tests of what they make. */
import { fileURLToPath } from 'node:url';
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox, type Toolbox } from '../../builder/tools/toolbox.ts';

let opened: Promise<Toolbox> | undefined;

export function lockedToolbox(): Promise<Toolbox> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Toolbox> {
  const lock = await readLock(fileURLToPath(new URL('../../images/minimal.lock', import.meta.url)));
  if (lock === undefined) throw new Error('images/minimal.lock is missing');
  return openToolbox(lock.tools);
}
