/** The empty state file system that an image carries, so that `slip state reset` can write it: 3 kB, where mke2fs would cost 61. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import type { TreeEntry } from '../tree/entry.ts';
import { makeState } from './state.ts';

/** As large as the partition of a new disk (spec/layout.ts): the machine grows it as it does on the first boot. */
export const EMPTY_STATE_BYTES = 64 * 1024 * 1024;
/** The same in every version of an image, so that no update carries it. */
const EPOCH = Date.UTC(2026, 0, 1) / 1000;

export async function emptyState(imageName: string, toolbox: Toolbox): Promise<TreeEntry> {
  const directory = await mkdtemp(join(tmpdir(), 'slipway-state-'));
  try {
    const path = join(directory, 'state');
    await makeState(path, {
      toolbox,
      sizeBytes: EMPTY_STATE_BYTES,
      identity: `${imageName} reset`,
      epoch: EPOCH,
    });
    const { stdout } = await run([...toolbox.command('zstd'), '-19', '-q', '-c', path]);
    return {
      path: MACHINE_PATHS.emptyState,
      mode: 0o644,
      uid: 0,
      gid: 0,
      component: 'slipway',
      type: 'file',
      source: { kind: 'bytes', bytes: stdout },
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
