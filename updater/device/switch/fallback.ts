/** Is there a version to return to? */
import type { BootDisk } from './boot-disk.ts';
import type { UkiEntry } from './entries.ts';
import { otherSlot, type RunningVersion } from './facts.ts';
import { slotContent } from './superblock.ts';

/** The UKI of a good version other than the running one, whose slot is whole: uncounted, as systemd-boot would choose it. */
export async function fallbackEntry(
  disk: BootDisk,
  entries: readonly UkiEntry[],
  running: RunningVersion,
): Promise<UkiEntry | undefined> {
  const holdsRoot = slotContent(await disk.readSuperblock(otherSlot(running.slot))) !== undefined;
  return holdsRoot
    ? entries.find(({ version, tries }) => version !== running.version && tries === undefined)
    : undefined;
}
