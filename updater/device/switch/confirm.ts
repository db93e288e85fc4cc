/** Fifth phase, in the new version, once every gate was healthy for the soak time: the counter goes, and it is the one to return to. Needs no network. */
import { SlipwayError } from '../../../spec/error.ts';
import type { BootDisk, Esp } from './boot-disk.ts';
import { removeAllBut } from './cleaning.ts';
import { LINUX, OWN, runningEntry, ukiEntries, type UkiEntry } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { isSame, type UpdateRecord } from './record-content.ts';
import { changeRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';
import { ukiName } from './uki-name.ts';

export interface Confirmation {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly running: RunningVersion;
  readonly nowSeconds: number;
  /** Set by the first step. */
  entry: UkiEntry | undefined;
}

export const CONFIRM_STEPS: readonly Step<Confirmation>[] = [
  {
    label: 'confirm.find',
    run: async (context) => {
      context.entry = await runningEntry(context.disk, await ukiEntries(context.esp), context.running);
      if (context.entry === undefined)
        throw new SlipwayError(
          'switch.running-uki',
          'the boot partition does not hold the UKI of the version that runs',
          {
            hint: 'it was started from there: somebody has removed it since',
          },
        );
    },
  },
  {
    // A stale twin without a counter would make this a success that is none, and the good version would count down (failure 15).
    label: 'confirm.remove-twins',
    run: async ({ esp, running, entry }) => {
      const others = (await ukiEntries(esp)).filter(({ version }) => version !== running.version);
      await removeAllBut(esp, [entry!.path, ...others.map(({ path }) => path)]);
    },
  },
  { label: 'confirm.sync-twins', run: ({ esp }) => esp.syncDirectory(LINUX) },
  {
    label: 'confirm.sync-own',
    run: async ({ esp }) => {
      await esp.makeDirectory(OWN);
      await esp.syncDirectory(OWN);
    },
  },
  ...renamingSteps<Confirmation>('confirm', ({ esp, entry }) => ({
    esp,
    from: entry!.path,
    to: `${LINUX}/${ukiName({ ...entry!, tries: undefined })}`,
  })),
  {
    label: 'confirm.record',
    run: async ({ disk, running, nowSeconds }) => {
      await changeRecord(disk, (record) => committed(record, running, nowSeconds));
    },
  },
];

/** Idempotent: once more does nothing. */
export async function confirm(
  disk: BootDisk,
  running: RunningVersion,
  nowSeconds: number,
  steps: readonly Step<Confirmation>[] = CONFIRM_STEPS,
): Promise<void> {
  await disk.withEsp((esp) => runSteps(disk, steps, { disk, esp, running, nowSeconds, entry: undefined }));
}

/** The record once a version has proven itself; what it failed with before, if it did, is over. */
export function committed(record: UpdateRecord, running: RunningVersion, nowSeconds: number): UpdateRecord {
  const id = { version: running.version, rootHash: running.rootHash };
  if (record.committed !== null && isSame(record.committed, id) && record.trial === null) return record;
  const trial = record.trial !== null && isSame(record.trial, id) ? record.trial : null;
  const failed = record.failed.filter((known) => !isSame(known, id));
  const others = trial === null ? record.trial : null;
  // Back on the older one, by a rollback or because the newer one rotted.
  if (trial === null && record.committed !== null && !isSame(record.committed, id)) {
    const signer = record.older !== null && isSame(record.older, id) ? record.older.signer : null;
    const { at: _, ...newer } = record.committed;
    const older = { ...newer, stateVersion: record.stateVersion };
    return { ...record, committed: { ...id, at: nowSeconds, signer }, older, failed, trial: others };
  }
  if (trial === null)
    return {
      ...record,
      committed: record.committed ?? { ...id, at: nowSeconds, signer: null },
      failed,
      trial: others,
    };
  const before = trial.previous;
  const known =
    record.committed !== null && isSame(record.committed, before) ? record.committed.signer : null;
  return {
    ...record,
    trial: null,
    committed: { ...id, at: nowSeconds, signer: trial.signer },
    older: {
      version: before.version,
      rootHash: before.rootHash,
      stateVersion: record.stateVersion,
      signer: known,
    },
    stateVersion: Math.max(record.stateVersion, trial.stateVersion),
    failed,
    pending: trial.pending,
  };
}
