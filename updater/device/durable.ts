/** Small files of the updater on the state partition: each is whole, or what it was before, whatever is cut. */
import { SlipwayError } from '../../spec/error.ts';
import { runProgram } from '../../system/program.ts';
import type { System } from '../../system/system.ts';

/** A temporary file, flushed, renamed, and the directory flushed. Throws `update.state-write` where the partition takes no more; then nothing was changed. */
export async function writeDurably(system: System, path: string, text: string): Promise<void> {
  const directory = path.slice(0, path.lastIndexOf('/'));
  const temporary = `${path}.next`;
  try {
    system.makeDirectory(directory, 0o700);
    system.writeText(temporary, text, 0o600);
    if ((await runProgram(system, ['sync', temporary])).code !== 0)
      throw new Error(`${temporary} is not kept`);
    if (!system.rename(temporary, path)) throw new Error(`${path} cannot be replaced`);
  } catch (cause) {
    system.remove(temporary);
    throw new SlipwayError('update.state-write', 'the state partition takes no more', {
      cause,
      hint: 'make room below /var; nothing was changed',
    });
  }
  await runProgram(system, ['sync', directory]);
}
