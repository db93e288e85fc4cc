/** First phase: makes room. From here on until the switch, the running version is the only one that boots, and nothing of it is touched. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import type { BootDisk, Esp } from './boot-disk.ts';
import { removeAllBut } from './cleaning.ts';
import { LINUX, OWN, runningEntry, ukiEntries } from './entries.ts';
import { otherSlot, type RunningVersion } from './facts.ts';
import { isSame, type Attempt } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { runSteps, type Step } from './steps.ts';
import { SUPERBLOCK_BYTES } from './superblock.ts';

export interface Preparation {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly running: RunningVersion;
  readonly manifest: ReleaseManifest;
  readonly nowSeconds: number;
  /** Set by the first step. */
  keep: string;
}

export const PREPARE_STEPS: readonly Step<Preparation>[] = [
  {
    label: 'prepare.find-running',
    run: async (context) => {
      const entry = await runningEntry(context.disk, await ukiEntries(context.esp), context.running);
      if (entry === undefined)
        throw new SlipwayError(
          'switch.running-uki',
          'the boot partition does not hold the UKI of the version that runs',
          {
            hint: 'nothing is replaced while it is the only one that runs: docs/recovery.md tells how to put it back',
          },
        );
      context.keep = entry.path;
    },
  },
  {
    label: 'prepare.record',
    run: async ({ disk, manifest, running, nowSeconds }) => {
      await changeRecord(disk, (record) => ({
        ...record,
        // One that was to be tried at the next start gives way, and has not failed.
        trial: null,
        attempt: isSameAttempt(record.attempt, manifest)
          ? { ...record.attempt, stage: 'writing' }
          : newAttempt(manifest, running, nowSeconds),
      }));
    },
  },
  { label: 'prepare.remove-others', run: ({ esp, keep }) => removeAllBut(esp, [keep]) },
  { label: 'prepare.sync-linux', run: ({ esp }) => esp.syncDirectory(LINUX) },
  {
    label: 'prepare.sync-own',
    run: async ({ esp }) => {
      await esp.makeDirectory(OWN);
      await esp.syncDirectory(OWN);
    },
  },
  {
    label: 'prepare.zero-superblock',
    run: ({ disk, running }) =>
      disk.writeSuperblock(otherSlot(running.slot), new Uint8Array(SUPERBLOCK_BYTES)),
  },
  { label: 'prepare.flush-slot', run: ({ disk, running }) => disk.flushSlot(otherSlot(running.slot)) },
];

/**
 * Makes the other slot free for a version: its old UKI goes first, in every spelling, then its superblock. Going on with the same version keeps the
 * checkpoint of its download. Throws `switch.trial` while the running version has yet to prove itself.
 */
export async function prepareSlot(
  disk: BootDisk,
  running: RunningVersion,
  manifest: ReleaseManifest,
  nowSeconds: number,
  steps: readonly Step<Preparation>[] = PREPARE_STEPS,
): Promise<Attempt> {
  refuse(running, manifest);
  await disk.withEsp((esp) => runSteps(disk, steps, { disk, esp, running, manifest, nowSeconds, keep: '' }));
  const { attempt } = await loadRecord(disk);
  if (attempt === null)
    throw new SlipwayError('switch.record', 'the update record does not keep what is written to it');
  return attempt;
}

function refuse(running: RunningVersion, manifest: ReleaseManifest): void {
  if (running.trial)
    throw new SlipwayError(
      'switch.trial',
      `${running.version} is on trial: another version can be installed when it is committed`,
    );
  if (manifest.image !== running.image || manifest.architecture !== running.architecture)
    throw new SlipwayError(
      'switch.image',
      `this machine runs ${running.image} (${running.architecture}), the release is of ${manifest.image} (${manifest.architecture})`,
    );
  // Another root under the name of the version that runs would make two UKIs that differ in nothing the boot loader sees (decisions.md 2).
  if (manifest.version === running.version)
    throw new SlipwayError(
      'switch.same-version',
      manifest.root.rootHash === running.rootHash
        ? `${running.version} is what runs`
        : `there is another ${running.version} than the one that runs: a version is never published twice`,
    );
}

function isSameAttempt(attempt: Attempt | null, manifest: ReleaseManifest): attempt is Attempt {
  return (
    attempt !== null &&
    isSame(attempt, { version: manifest.version, rootHash: manifest.root.rootHash }) &&
    attempt.uki.sha256 === manifest.uki.sha256
  );
}

function newAttempt(manifest: ReleaseManifest, running: RunningVersion, nowSeconds: number): Attempt {
  return {
    version: manifest.version,
    rootHash: manifest.root.rootHash,
    slot: otherSlot(running.slot),
    stage: 'writing',
    uki: { sha256: manifest.uki.sha256, sizeBytes: manifest.uki.sizeBytes },
    checkpoint: null,
    startedAt: nowSeconds,
  };
}
