/** An operator's way back from a committed version: its UKI is named as one without tries left, and the older one boots. Needs no network and no space. */
import { SlipwayError } from '../../../spec/error.ts';
import { compareVersions } from '../../../spec/version.ts';
import type { BootDisk, Esp } from './boot-disk.ts';
import { LINUX, runningEntry, ukiEntries, type UkiEntry } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { fallbackEntry } from './fallback.ts';
import { disarm } from './guard.ts';
import { withFailed } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';
import { ukiName } from './uki-name.ts';

const FIRST_STATE = 1;

export interface Rollback {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly running: RunningVersion;
  readonly reason: string;
  readonly nowSeconds: number;
  readonly entry: UkiEntry;
}

export const ROLLBACK_STEPS: readonly Step<Rollback>[] = [
  {
    // Before anything else, so that the updater does not install it again at once (failure 28).
    label: 'rollback.record',
    run: async ({ disk, running, reason, nowSeconds }) => {
      const { version, rootHash } = running;
      const failed = { version, rootHash, reason, logs: [], at: nowSeconds, restarts: 1, returned: false };
      await changeRecord(disk, (record) => withFailed(record, failed));
    },
  },
  ...renamingSteps<Rollback>('rollback', ({ esp, entry }) => ({
    esp,
    from: entry.path,
    to: `${LINUX}/${ukiName({ ...entry, tries: { left: 0, done: entry.tries?.done ?? 0 } })}`,
  })),
];

/** Returns the version that boots next. Throws `switch.no-fallback` where there is none. */
export async function rollback(
  disk: BootDisk,
  running: RunningVersion,
  reason: string,
  nowSeconds: number,
  steps: readonly Step<Rollback>[] = ROLLBACK_STEPS,
): Promise<string> {
  return disk.withEsp(async (esp) => {
    const entries = await ukiEntries(esp);
    const fallback = await fallbackEntry(disk, entries, running);
    const entry = await runningEntry(disk, entries, running);
    if (fallback === undefined || entry === undefined)
      throw new SlipwayError(
        'switch.no-fallback',
        `there is no other version than ${running.version} to return to`,
        {
          hint: 'while an update is being installed, its slot holds neither version',
        },
      );
    if (compareVersions(fallback.version, running.version) > 0)
      throw new SlipwayError(
        'switch.no-fallback',
        `${fallback.version}, the other version here, is newer than ${running.version}`,
      );
    const { older, stateVersion } = await loadRecord(disk);
    // What the machine was installed with had no record of its state: it is of the first version there is.
    if (older?.version === fallback.version && Math.max(FIRST_STATE, older.stateVersion) < stateVersion)
      throw new SlipwayError(
        'switch.state',
        `${fallback.version} reads state of version ${older.stateVersion}, and this machine's is ${stateVersion} already`,
      );
    // Here, where nobody else works on the boot partition: what guards the start of this version would name it once more (guard.ts).
    await disarm(disk);
    await runSteps(disk, steps, { disk, esp, running, reason, nowSeconds, entry });
    return fallback.version;
  });
}
