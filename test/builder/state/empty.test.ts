import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readSource } from '../../../builder/initrd/cpio.ts';
import { run } from '../../../builder/process/run.ts';
import { EMPTY_STATE_BYTES, emptyState } from '../../../builder/state/empty.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();

test('the empty state file system of an image is whole, small, and the same each time', async () => {
  const packed = async (): Promise<Buffer> => {
    const entry = await emptyState('minimal', toolbox);
    return Buffer.from(entry.type === 'file' ? readSource(entry.source) : []);
  };
  const bytes = await packed();
  expect(bytes.length).toBeLessThan(8_000);
  expect(Buffer.compare(await packed(), bytes)).toBe(0);

  const state = join(directory, 'state');
  const { stdout } = await run([...toolbox.command('zstd'), '-dqc'], { input: bytes });
  expect(stdout.length).toBe(EMPTY_STATE_BYTES);
  await writeFile(state, stdout);
  await run([...toolbox.command('e2fsck'), '-f', '-n', state]);
});
