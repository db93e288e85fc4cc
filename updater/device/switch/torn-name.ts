/**
 * A cut rename may take the long name of the UKI that runs and leave its short one (`MINIMA~3.EFI`), while the new name has not got the content yet. The boot
 * loader starts such a file, which has no counter; but no name of ours is there then, and without one nothing could ever be installed again. So the name is
 * made anew, before anything else is done.
 */
import type { BootDisk, Esp } from './boot-disk.ts';
import { LINUX, runningEntry, ukiEntries } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { findFailed } from './record-content.ts';
import { loadRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps } from './steps.ts';
import { ukiName } from './uki-name.ts';

/** A short name that vfat makes of a long one. */
const SHORT = /^([^.~]{1,6})~\d{1,6}\.efi$/i;

interface TornName {
  readonly esp: Esp;
  readonly from: string;
  readonly to: string;
}

const HEAL_STEPS = renamingSteps<TornName>('heal', (torn) => torn);

/** Does nothing where the running version has a name, or where more than one file could be it. */
export async function healTornName(disk: BootDisk, esp: Esp, running: RunningVersion): Promise<void> {
  const entries = await ukiEntries(esp);
  // What is counted is told by its name: a short one never is.
  if (running.trial || (await runningEntry(disk, entries, running)) !== undefined) return;
  const others = new Set<string | undefined>();
  for (const { path } of entries) others.add(await esp.digest(path));
  const found = new Map<string, string>();
  for (const { name, kind, sizeBytes } of await esp.list(LINUX)) {
    if (kind !== 'file' || sizeBytes === 0 || !isShortOf(name, running)) continue;
    const digest = await esp.digest(`${LINUX}/${name}`);
    if (digest !== undefined && !others.has(digest) && !found.has(digest)) found.set(digest, name);
  }
  const [from, ...more] = found.values();
  if (from === undefined || more.length > 0) return;
  // It was being given up: that goes on.
  const failed = findFailed(await loadRecord(disk), running) !== undefined;
  const to = `${LINUX}/${ukiName({ ...running, tries: failed ? { left: 0, done: 1 } : undefined })}`;
  await runSteps(disk, HEAL_STEPS, { esp, from: `${LINUX}/${from}`, to });
}

/** vfat leaves out what a short name cannot hold, and cuts the rest. */
function isShortOf(name: string, { image, version }: RunningVersion): boolean {
  const start = SHORT.exec(name)?.[1]?.toLowerCase();
  return start !== undefined && `${image}_${version}`.replaceAll(/[^a-z0-9_-]/g, '').startsWith(start);
}
