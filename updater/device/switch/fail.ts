/**
 * The way back from a trial that is not good: remembered first, then the counter goes to zero, then the machine restarts into the version from before. At
 * most once for a version: a bad configuration or a dead disk would otherwise send a machine to and fro for ever (failure 30).
 */
import type { BootDisk, Esp } from './boot-disk.ts';
import { LINUX, runningEntry, ukiEntries, type UkiEntry } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { fallbackEntry } from './fallback.ts';
import { findFailed, isSame, withFailed, type FailedVersion } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';
import { ukiName, withoutTries } from './uki-name.ts';

export type FailOutcome =
  | { readonly action: 'restart' }
  /** It goes on running, degraded, and says so. */
  | { readonly action: 'stay'; readonly why: string };

/** Restarts because of one version, while its name could not be changed. */
const MOST_RESTARTS = 3;

export interface Failure {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly running: RunningVersion;
  readonly entry: UkiEntry | undefined;
}

export const FAIL_STEPS: readonly Step<Failure>[] = renamingSteps<Failure>('fail', ({ esp, entry }) => ({
  esp,
  from: entry?.path ?? '',
  to: entry === undefined ? '' : `${LINUX}/${ukiName({ ...entry, tries: withoutTries(entry.tries) })}`,
}));

/** `reason` in one line; `logs`: the last lines of what failed. */
export async function fail(
  disk: BootDisk,
  running: RunningVersion,
  reason: string,
  logs: readonly string[],
  nowSeconds: number,
  steps: readonly Step<Failure>[] = FAIL_STEPS,
): Promise<FailOutcome> {
  const id = { version: running.version, rootHash: running.rootHash };
  const known = findFailed(await loadRecord(disk), id);
  if (known?.returned === true)
    return {
      action: 'stay',
      why: `this machine returned from ${id.version} before, and was made to run it again`,
    };
  if ((known?.restarts ?? 0) >= MOST_RESTARTS)
    return { action: 'stay', why: `${MOST_RESTARTS} restarts did not lead away from ${id.version}` };
  // The first reason is the cause; what follows on the way down is not.
  await remember(disk, {
    ...id,
    reason: known?.reason ?? reason,
    logs: known?.logs ?? logs,
    at: nowSeconds,
    restarts: (known?.restarts ?? 0) + 1,
    returned: false,
  });
  await disk.reached('fail.record');
  return disk.withEsp(async (esp) => {
    const entries = await ukiEntries(esp);
    if ((await fallbackEntry(disk, entries, running)) === undefined)
      return { action: 'stay', why: 'there is no other version to return to' };
    const entry = await runningEntry(disk, entries, running);
    await runSteps(disk, steps, { disk, esp, running, entry });
    return { action: 'restart' };
  });
}

/** A state partition that takes nothing any more stops no rollback: systemd-boot counts, and the version from before says that something failed. */
async function remember(disk: BootDisk, failed: FailedVersion): Promise<void> {
  try {
    await changeRecord(disk, (record) => ({
      ...withFailed(record, failed),
      trial: record.trial !== null && isSame(record.trial, failed) ? null : record.trial,
    }));
  } catch {
    // Nowhere to keep it.
  }
}
