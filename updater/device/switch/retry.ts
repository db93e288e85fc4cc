/** A trial that ends because somebody restarts the machine in an orderly way has not failed: it gets its try back (failure 22). */
import type { BootDisk, Esp } from './boot-disk.ts';
import { LINUX, runningEntry, ukiEntries, type UkiEntry } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { findFailed } from './record-content.ts';
import { loadRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';
import { ukiName, withTryGivenBack } from './uki-name.ts';

export interface Retry {
  readonly esp: Esp;
  readonly entry: UkiEntry;
}

export const RETRY_STEPS: readonly Step<Retry>[] = renamingSteps<Retry>('retry', ({ esp, entry }) => ({
  esp,
  from: entry.path,
  to: `${LINUX}/${ukiName({ ...entry, tries: entry.tries && withTryGivenBack(entry.tries) })}`,
}));

export async function retry(
  disk: BootDisk,
  running: RunningVersion,
  steps: readonly Step<Retry>[] = RETRY_STEPS,
): Promise<void> {
  await disk.withEsp(async (esp) => {
    // It was given up just before: that is why the machine restarts.
    const known = findFailed(await loadRecord(disk), running);
    if (known?.returned === false) return;
    const entry = await runningEntry(disk, await ukiEntries(esp), running);
    if (entry !== undefined) await runSteps(disk, steps, { esp, entry });
  });
}
