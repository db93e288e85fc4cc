/**
 * The one way in which a UKI gets a name that boot loaders take. vfat's entry of a long name is several records, which may lie in two
 * sectors; torn, the short name alone would be left, without the counter. So the name is made first, for an empty file, which no boot loader
 * takes, and made durable; then the content moves there, which changes one record: where it lies, and how long it is.
 */
import { SlipwayError } from '../../../spec/error.ts';
import type { Esp } from './boot-disk.ts';
import { vacate } from './cleaning.ts';
import { LINUX } from './entries.ts';
import type { Step } from './steps.ts';

export interface Renaming {
  readonly esp: Esp;
  /** Paths, `to` in EFI/Linux. The same: nothing is done. */
  readonly from: string;
  readonly to: string;
}

/** `pick` is asked before each step. */
export function renamingSteps<Context>(phase: string, pick: (context: Context) => Renaming): Step<Context>[] {
  const step = (what: string, run: (renaming: Renaming) => Promise<void>): Step<Context> => ({
    label: `${phase}.${what}`,
    run: async (context) => {
      const renaming = pick(context);
      if (renaming.from.toLowerCase() !== renaming.to.toLowerCase()) await run(renaming);
    },
  });
  return [
    step('make-name', async ({ esp, from, to }) => {
      await vacate(esp, to, [from]);
      await esp.write(to, new Uint8Array(0));
    }),
    step('sync-name', ({ esp }) => esp.syncDirectory(LINUX)),
    step('rename', ({ esp, from, to }) => esp.rename(from, to)),
    step('sync-place', ({ esp, to }) => esp.syncFile(to)),
    step('sync-new-directory', ({ esp }) => esp.syncDirectory(LINUX)),
    step('sync-old-directory', ({ esp, from }) => esp.syncDirectory(from.replace(/\/[^/]*$/, ''))),
    step('drop-caches', ({ esp }) => esp.dropCaches()),
    step('read-back', ({ esp, from, to }) => readBack(esp, from, to)),
  ];
}

/** What was written is looked at again: others reported success for a switch that had not happened (failure 21). */
async function readBack(esp: Esp, from: string, to: string): Promise<void> {
  const sizeOf = async (path: string): Promise<number | undefined> => {
    const [, directory = '', name = ''] = /^(.*)\/([^/]*)$/.exec(path) ?? [];
    const entries = await esp.list(directory);
    return entries.find((entry) => entry.name.toLowerCase() === name.toLowerCase())?.sizeBytes;
  };
  if (((await sizeOf(to)) ?? 0) === 0 || (await sizeOf(from)) !== undefined)
    throw new SlipwayError(
      'switch.read-back',
      `${from} was renamed to ${to}, and the boot partition does not show it`,
      {
        hint: 'the boot partition may be damaged: docs/recovery.md',
      },
    );
}
