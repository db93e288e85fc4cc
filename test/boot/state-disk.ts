/** What a machine that is gone left on its state partition. */
import { rm } from 'node:fs/promises';
import { run } from '../../builder/process/run.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import { partition } from './disk-edit.ts';

/** `body` gets the partition as e2fsprogs' programs name one inside of a file. */
export async function withStateOf<T>(overlay: string, body: (state: string) => Promise<T>): Promise<T> {
  const raw = `${overlay}.raw`;
  const toolbox = await labToolbox();
  try {
    await run([...toolbox.command('qemu-img'), 'convert', '-O', 'raw', overlay, raw]);
    const { offset } = await partition(raw, 'slipway-state');
    return await body(`${raw}?offset=${offset}`);
  } finally {
    await rm(raw, { force: true });
  }
}

/** Throws when its journal would have to be replayed, or anything about it is wrong. */
export async function expectCleanState(state: string): Promise<void> {
  const { stdout } = await run(['dumpe2fs', '-h', state]);
  const text = stdout.toString('utf8');
  if (!/Filesystem state:\s+clean\n/.test(text) || text.includes('needs_recovery'))
    throw new Error(`the state partition was not left clean\n${text}`);
  await run(['e2fsck', '-fn', state]);
}

/** A file of it. */
export async function readStateFile(state: string, path: string): Promise<string> {
  const { stdout } = await run(['debugfs', '-R', `cat ${path}`, state]);
  return stdout.toString('utf8');
}
