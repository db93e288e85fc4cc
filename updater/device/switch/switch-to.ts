/** Fourth phase: the new version becomes what boots next, as a trial. The rename is the last step of an update. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { VENDORS, type BootDisk, type Esp } from './boot-disk.ts';
import { removeAllBut } from './cleaning.ts';
import { LINUX, NEW_UKI, OWN, runningEntry, ukiEntries, type UkiEntry } from './entries.ts';
import { otherSlot, type RunningVersion } from './facts.ts';
import { RECORD_LIMITS, type NetworkFacts, type PendingAction } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';
import { slotContent } from './superblock.ts';
import { TRIES, ukiName } from './uki-name.ts';

export interface Switching {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly running: RunningVersion;
  readonly manifest: ReleaseManifest;
  readonly network: NetworkFacts;
  readonly nowSeconds: number;
  /** Set by the first step: the UKI that runs, and where the new one lies. */
  keep: string;
  from: string;
}

export const SWITCH_STEPS: readonly Step<Switching>[] = [
  { label: 'switch.verify', run: verifyParts },
  // What is in EFI/Linux beside the two could be taken for a third (decisions.md 12).
  { label: 'switch.clean', run: ({ esp, keep, from }) => removeAllBut(esp, [keep, from]) },
  { label: 'switch.sync-linux', run: ({ esp }) => esp.syncDirectory(LINUX) },
  { label: 'switch.sync-own', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'switch.clear-variables', run: ({ disk }) => clearVariables(disk) },
  {
    label: 'switch.record',
    run: async ({ disk, running, manifest, network, nowSeconds }) => {
      await changeRecord(disk, (record) => ({
        ...record,
        trial: {
          version: manifest.version,
          rootHash: manifest.root.rootHash,
          slot: otherSlot(running.slot),
          previous: { version: running.version, rootHash: running.rootHash, slot: running.slot },
          switchedAt: nowSeconds,
          network,
          stateVersion: manifest.stateVersion,
          signer: manifest.uki.signer,
          pending: pendingActions(manifest),
        },
      }));
    },
  },
  ...renamingSteps<Switching>('switch', ({ esp, manifest, from }) => ({
    esp,
    from,
    to: `${LINUX}/${ukiName({ ...manifest, tries: { left: TRIES, done: 0 } })}`,
  })),
  {
    label: 'switch.forget-attempt',
    run: async ({ disk }) => {
      await changeRecord(disk, (record) => ({ ...record, attempt: null }));
    },
  },
];

/**
 * Switches to what the earlier phases brought; the caller has looked at requirements (requirements.ts) and at the timestamp just before. The trial
 * begins with the next start of the machine, through the firmware. Throws, and changes nothing that boots, where a part is missing.
 */
export async function switchTo(
  disk: BootDisk,
  running: RunningVersion,
  manifest: ReleaseManifest,
  network: NetworkFacts,
  nowSeconds: number,
  steps: readonly Step<Switching>[] = SWITCH_STEPS,
): Promise<void> {
  await disk.withEsp((esp) =>
    runSteps(disk, steps, { disk, esp, running, manifest, network, nowSeconds, keep: '', from: '' }),
  );
}

/** All parts or none: others ended with a new UKI and no root (failure 4). */
async function verifyParts(context: Switching): Promise<void> {
  const { disk, esp, running, manifest } = context;
  if (running.trial) throw new SlipwayError('switch.trial', `${running.version} has yet to prove itself`);
  const { attempt } = await loadRecord(disk);
  if (
    attempt?.stage !== 'installed' ||
    attempt.version !== manifest.version ||
    attempt.rootHash !== manifest.root.rootHash
  )
    throw new SlipwayError('switch.not-installed', `${manifest.version} is not installed yet`);
  const slot = otherSlot(running.slot);
  if (slotContent(await disk.readSuperblock(slot)) !== manifest.root.rootHash.slice(0, 32))
    throw new SlipwayError('switch.not-installed', `slot ${slot} does not hold ${manifest.version}`);
  const entries = await ukiEntries(esp);
  const from = await findNewUki(esp, manifest, entries);
  if (from === undefined)
    throw new SlipwayError(
      'switch.uki-content',
      `the UKI of ${manifest.version} on the boot partition is not what was published`,
    );
  const keep = await runningEntry(disk, entries, running);
  if (keep === undefined)
    throw new SlipwayError(
      'switch.running-uki',
      'the boot partition does not hold the UKI of the version that runs',
    );
  context.keep = keep.path;
  context.from = from;
}

/** Where the third phase put it; or in its final place, when this phase was ended behind the rename. */
async function findNewUki(
  esp: Esp,
  manifest: ReleaseManifest,
  entries: readonly UkiEntry[],
): Promise<string | undefined> {
  const placed = entries.filter(({ version }) => version === manifest.version).map(({ path }) => path);
  for (const path of [NEW_UKI, ...placed]) if ((await esp.digest(path)) === manifest.uki.sha256) return path;
  return undefined;
}

/** Left by another system, they would decide what boots (failure 23). */
async function clearVariables(disk: BootDisk): Promise<void> {
  for (const name of ['LoaderEntryDefault', 'LoaderEntryOneShot', 'LoaderEntryPreferred'])
    await disk.removeVariable({ name, vendor: VENDORS.loader });
}

/** The boot loader first: it does not depend on the keys, which may depend on it. Then whoever signs the others, what is trusted, and what no longer is. */
function pendingActions({ loader, secureBoot = [] }: ReleaseManifest): readonly PendingAction[] {
  const all: readonly PendingAction[] = [
    ...(loader === undefined
      ? []
      : [{ kind: 'loader' as const, sha256: loader.sha256, version: loader.version }]),
    ...(['KEK', 'db', 'dbx'] as const).flatMap((wanted) =>
      secureBoot
        .filter(({ variable }) => variable === wanted)
        .map(({ variable, auth }) => ({ kind: 'variable' as const, variable, sha256: auth.sha256 })),
    ),
  ];
  return all.slice(0, RECORD_LIMITS.pending);
}
