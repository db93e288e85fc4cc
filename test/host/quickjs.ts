/** The machine's own QuickJS, from the lock of images/minimal.yaml. */
import { fileURLToPath } from 'node:url';
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';

/** argv prefix of `qjs`. */
export async function quickJs(): Promise<readonly string[]> {
  const lock = await readLock(fileURLToPath(new URL('../../images/minimal.lock', import.meta.url)));
  const packages = lock?.packages.filter(({ name }) => ['quickjs', 'libc6'].includes(name)) ?? [];
  return (await openToolbox(packages)).command('qjs');
}
