/** Second phase, once the slot was written and every block of it read back against the signed root hash: the slot gets its name. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import type { BootDisk } from './boot-disk.ts';
import { otherSlot, type RunningVersion, type SlotName } from './facts.ts';
import { changeRecord } from './record-store.ts';
import { runSteps, type Step } from './steps.ts';
import { makeSuperblock, slotContent } from './superblock.ts';

export interface SlotCommit {
  readonly disk: BootDisk;
  readonly slot: SlotName;
  readonly manifest: ReleaseManifest;
}

export const COMMIT_SLOT_STEPS: readonly Step<SlotCommit>[] = [
  // What APPLY wrote is on the medium before the superblock says so.
  { label: 'commit-slot.flush-content', run: ({ disk, slot }) => disk.flushSlot(slot) },
  {
    label: 'commit-slot.write-superblock',
    run: ({ disk, slot, manifest }) => disk.writeSuperblock(slot, makeSuperblock(manifest.root)),
  },
  { label: 'commit-slot.flush-superblock', run: ({ disk, slot }) => disk.flushSlot(slot) },
  {
    label: 'commit-slot.read-back',
    run: async ({ disk, slot, manifest }) => {
      if (slotContent(await disk.readSuperblock(slot)) !== manifest.root.rootHash.slice(0, 32))
        throw new SlipwayError(
          'switch.read-back',
          `the superblock of slot ${slot} was written and cannot be read back`,
          {
            hint: 'the disk may be failing',
          },
        );
    },
  },
  {
    label: 'commit-slot.record',
    run: async ({ disk }) => {
      await changeRecord(disk, (record) => ({
        ...record,
        attempt: record.attempt === null ? null : { ...record.attempt, stage: 'written', checkpoint: null },
      }));
    },
  },
];

export async function commitSlot(
  disk: BootDisk,
  running: RunningVersion,
  manifest: ReleaseManifest,
  steps: readonly Step<SlotCommit>[] = COMMIT_SLOT_STEPS,
): Promise<void> {
  await runSteps(disk, steps, { disk, slot: otherSlot(running.slot), manifest });
}
