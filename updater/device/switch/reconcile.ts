/**
 * At each start: what runs is a fact, what the record and the ESP say is compared with it. A trial that is not what runs has failed; what a cut update left
 * goes. The root hash that booted decides, never a variable (failure 23).
 */
import type { BootDisk, Esp } from './boot-disk.ts';
import { removeAllBut } from './cleaning.ts';
import { committed } from './confirm.ts';
import { LINUX, NEW_UKI, OWN, runningEntry, ukiEntries, type UkiEntry } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { isSame, withFailed, type FailedVersion, type UpdateRecord } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';
import { healTornName } from './torn-name.ts';
import { ukiName, withoutTries } from './uki-name.ts';

export interface BootFacts {
  readonly running: RunningVersion;
  readonly nowSeconds: number;
  /** A version that could not open its root, and asked for this one (decisions.md 8). */
  readonly fallbackFrom: string | undefined;
}

export interface Reconciliation {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly facts: BootFacts;
  /** Set by the first step. */
  entries: readonly UkiEntry[];
  /** A version that may not be tried any more, and still could be. */
  spent: UkiEntry | undefined;
  /** There is a UKI that waits for its switch. */
  newUki: boolean;
}

export const RECONCILE_STEPS: readonly Step<Reconciliation>[] = [
  {
    label: 'reconcile.look',
    run: async (context) => {
      context.entries = await ukiEntries(context.esp);
      context.newUki = (await context.esp.list(OWN)).some(
        ({ name, sizeBytes }) => `${OWN}/${name}` === NEW_UKI && sizeBytes > 0,
      );
    },
  },
  {
    label: 'reconcile.record',
    run: async (context) => {
      const { disk, facts, entries, newUki } = context;
      const record = await changeRecord(disk, (old) => afterBoot(old, facts, entries, newUki));
      context.spent = entries.find(
        (entry) =>
          entry.tries?.left !== 0 &&
          entry.version !== record.trial?.version &&
          record.failed.some((failed) => isUkiOf(entry, failed, facts)),
      );
    },
  },
  ...renamingSteps<Reconciliation>('reconcile', ({ esp, spent }) => ({
    esp,
    from: spent?.path ?? '',
    to: spent === undefined ? '' : `${LINUX}/${ukiName({ ...spent, tries: withoutTries(spent.tries) })}`,
  })),
  {
    label: 'reconcile.remove-leftovers',
    run: async ({ disk, esp, facts }) => {
      const entries = await ukiEntries(esp);
      const running = await runningEntry(disk, entries, facts.running);
      const { attempt } = await loadRecord(disk);
      // Nothing is removed where it is not clear what runs.
      if (running === undefined) return;
      await removeAllBut(esp, [
        (await uncountedTwin(esp, entries, running))?.path ?? running.path,
        ...entries.filter(({ version }) => version !== facts.running.version).map(({ path }) => path),
        ...(attempt?.stage === 'installed' ? [NEW_UKI] : []),
      ]);
    },
  },
  { label: 'reconcile.sync-linux', run: ({ esp }) => esp.syncDirectory(LINUX) },
  {
    label: 'reconcile.sync-own',
    run: async ({ esp }) => {
      await esp.makeDirectory(OWN);
      await esp.syncDirectory(OWN);
    },
  },
];

/** Returns the record as it stands now. */
export async function reconcile(
  disk: BootDisk,
  facts: BootFacts,
  steps: readonly Step<Reconciliation>[] = RECONCILE_STEPS,
): Promise<UpdateRecord> {
  await disk.withEsp(async (esp) => {
    await healTornName(disk, esp, facts.running);
    await runSteps(disk, steps, { disk, esp, facts, entries: [], spent: undefined, newUki: false });
  });
  return loadRecord(disk);
}

/** A counted name beside an uncounted one of the same content: the version is good already, and power flaps must not count it down (failure 20). */
async function uncountedTwin(
  esp: Esp,
  entries: readonly UkiEntry[],
  running: UkiEntry,
): Promise<UkiEntry | undefined> {
  if (running.tries === undefined) return undefined;
  const twin = entries.find(
    ({ image, version, tries, sizeBytes }) =>
      tries === undefined &&
      image === running.image &&
      version === running.version &&
      sizeBytes === running.sizeBytes,
  );
  const digest = twin === undefined ? undefined : await esp.digest(twin.path);
  return digest !== undefined && digest === (await esp.digest(running.path)) ? twin : undefined;
}

/** The record after this boot. Pure. */
export function afterBoot(
  old: UpdateRecord,
  facts: BootFacts,
  entries: readonly UkiEntry[],
  newUki: boolean,
): UpdateRecord {
  const { running, nowSeconds } = facts;
  const id = { version: running.version, rootHash: running.rootHash };
  let record: UpdateRecord = {
    ...old,
    // Whatever failed and is not what runs: the way back from it is complete.
    failed: old.failed.map((failed) => (isSame(failed, id) ? failed : { ...failed, returned: true })),
    attempt: old.attempt !== null && isSame(old.attempt, id) ? null : old.attempt,
  };
  // Also where confirming was cut behind its rename. Not where the boot loader could not count (its new name was taken): the next start does.
  const onTrial = record.trial !== null && isSame(record.trial, id);
  const own = entries.filter(({ version }) => version === running.version);
  const counted = own.length > 0 && own.every(({ tries }) => tries !== undefined);
  if (!running.trial && !(onTrial && counted)) record = committed(record, running, nowSeconds);
  if (record.trial !== null && !isSame(record.trial, id)) record = afterTrial(record, facts, entries, newUki);
  if (facts.fallbackFrom !== undefined && facts.fallbackFrom !== running.version)
    record = afterFallback(record, old, facts, facts.fallbackFrom);
  return record;
}

function afterTrial(
  record: UpdateRecord,
  { nowSeconds }: BootFacts,
  entries: readonly UkiEntry[],
  newUki: boolean,
): UpdateRecord {
  const trial = record.trial!;
  const own = entries.filter(({ version }) => version === trial.version);
  // Switched to, and not started yet.
  if (own.some(({ tries }) => tries !== undefined && tries.left > 0 && tries.done === 0)) return record;
  const { attempt } = record;
  if (own.length === 0 && attempt !== null && isSame(attempt, trial)) {
    // Cut before the rename, or in it: never started, so not to blame.
    return { ...record, trial: null, attempt: newUki ? attempt : { ...attempt, stage: 'written' } };
  }
  const tried = Math.max(0, ...own.map(({ tries }) => tries?.done ?? 0));
  const reason =
    own.length === 0
      ? 'its UKI was gone from the boot partition after the restart'
      : tried === 0
        ? 'it did not come up'
        : `it was started ${tried === 1 ? 'once' : `${tried} times`} and did not come up, or could not say what failed`;
  return { ...withFailed(record, failedNow(trial, reason, nowSeconds)), trial: null };
}

/** It was committed, or on trial, and its root is gone. */
function afterFallback(
  record: UpdateRecord,
  old: UpdateRecord,
  { nowSeconds }: BootFacts,
  version: string,
): UpdateRecord {
  const reason = 'it could not open its root';
  const known = [...record.failed].reverse().find((failed) => failed.version === version);
  const id = known ?? [old.committed, old.trial].find((candidate) => candidate?.version === version);
  return id === undefined || id === null
    ? record
    : withFailed(record, failedNow(id, known?.reason ?? reason, nowSeconds));
}

function failedNow(
  { version, rootHash }: { readonly version: string; readonly rootHash: string },
  reason: string,
  nowSeconds: number,
): FailedVersion {
  return { version, rootHash, reason, logs: [], at: nowSeconds, restarts: 1, returned: true };
}

function isUkiOf(entry: UkiEntry, failed: FailedVersion, { running }: BootFacts): boolean {
  return (
    entry.version === failed.version && entry.image === running.image && entry.version !== running.version
  );
}
