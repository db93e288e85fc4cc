/** The machine's own QuickJS, from the lock of images/minimal.yaml, and programs bundled for it as those of the image are. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { readLock } from '../../builder/lock/lock-file.ts';
import { openToolbox } from '../../builder/tools/toolbox.ts';
import { machineBundle } from '../../scripts/machine-bundle.mjs';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** argv prefix of `qjs`. */
export async function quickJs(): Promise<readonly string[]> {
  const lock = await readLock(fileURLToPath(new URL('../../images/minimal.lock', import.meta.url)));
  const packages = lock?.packages.filter(({ name }) => ['quickjs', 'libc6'].includes(name)) ?? [];
  return (await openToolbox(packages)).command('qjs');
}

/** `entry`: from the repository's root. */
export async function bundleForMachine(entry: string, outfile: string): Promise<void> {
  await build({ ...machineBundle, entryPoints: [join(ROOT, entry)], outfile });
}
