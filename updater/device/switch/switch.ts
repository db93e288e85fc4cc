/**
 * The switch on this machine: what the commands of the updater and slipd call. What each does to the disk is in the file of its name; this one adds the
 * machine's own facts, and leaves a summary for slipd where it can read it without starting a program.
 */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { guardBoot as guardBootOn } from '../scrub/guard-boot.ts';
import { NO_SCRUB, readScrubMemory, writeScrubMemory } from '../scrub/memory.ts';
import { scrubUkis as scrubUkisOn, type UkiFinding, type UkiScrub } from '../scrub/ukis.ts';
import { confirm } from './confirm.ts';
import { commitSlot as commitSlotOn } from './commit-slot.ts';
import { ukiEntries, type UkiEntry } from './entries.ts';
import { fail, type FailOutcome } from './fail.ts';
import { otherSlot, type RunningVersion, type SlotName } from './facts.ts';
import { installUki as installUkiOn, type UkiProducer } from './install-uki.ts';
import { createMachineDisk } from './machine-disk.ts';
import { machineFacts } from './machine-facts.ts';
import { bootFact, readRunning, slotDevices, type SlotDevices } from './machine-parts.ts';
import { networkFacts } from './network.ts';
import { nextPhase as nextPhaseOn, type Phase } from './next-phase.ts';
import { writeFollowUps } from './follow-ups.ts';
import { performPending, type FollowUp, type SealedState } from './pending.ts';
import { keepLoaders } from './pending-loader.ts';
import { prepareSlot as prepareSlotOn } from './prepare.ts';
import { reconcile as reconcileOn } from './reconcile.ts';
import type { Attempt, UpdateRecord } from './record-content.ts';
import { changeRecord, loadRecord } from './record-store.ts';
import { demandRequirements, unmetRequirements, type Unmet } from './requirements.ts';
import { retry } from './retry.ts';
import { rollback as rollbackOn } from './rollback.ts';
import { makeSuperblock, slotContent } from './superblock.ts';
import { switchTo as switchToOn } from './switch-to.ts';

/** For slipd: UpdateSummary of spec/machine.ts, JSON. */
export const SUMMARY = `${MACHINE_PATHS.runtime}/update.json`;

const BACKGROUND_LIMIT_MS = 60_000;
const BACKGROUND_POLL_MS = 500;

export interface BootState {
  readonly running: RunningVersion;
  /** The slot that runs, with its root hash. */
  readonly source: SlotDevices & { readonly rootHash: string };
  readonly target: SlotDevices & {
    /** First half of the root hash of what it holds; `undefined`: nothing that is complete. */
    readonly content: string | undefined;
  };
  readonly entries: readonly UkiEntry[];
  readonly record: UpdateRecord;
}

/** What runs, the slots, what lies on the ESP, what is remembered. */
export async function readBoot(system: System): Promise<BootState> {
  const disk = createMachineDisk(system);
  const running = readRunning(system);
  const other = otherSlot(running.slot);
  return {
    running,
    source: { ...slotDevices(system, running.slot), rootHash: running.rootHash },
    target: { ...slotDevices(system, other), content: slotContent(await disk.readSuperblock(other)) },
    entries: await disk.withEsp(ukiEntries),
    record: await loadRecord(disk),
  };
}

export function readRecord(system: System): Promise<UpdateRecord> {
  return loadRecord(createMachineDisk(system));
}

/** Where to go on with this release: prepare, apply the root and commitSlot; install; switch; restart. */
export function nextPhase(system: System, manifest: ReleaseManifest): Promise<Phase> {
  return nextPhaseOn(createMachineDisk(system), readRunning(system), manifest);
}

/** Before the first byte is written to the other slot. The checkpoint in what it returns says where a download goes on. */
export async function prepareSlot(system: System, manifest: ReleaseManifest): Promise<Attempt> {
  const disk = createMachineDisk(system);
  demandRequirements(manifest, await machineFacts(system, disk));
  return prepareSlotOn(disk, readRunning(system), manifest, seconds(system));
}

/** Why this machine cannot run a release; empty when it can. For `check` and `explain`: the phases look for themselves. */
export async function unmetBy(system: System, manifest: ReleaseManifest): Promise<readonly Unmet[]> {
  return unmetRequirements(manifest, await machineFacts(system, createMachineDisk(system)));
}

/** Operations of a payload that are done. Cheap enough for every few megabytes: one write and one flush. */
export async function checkpoint(system: System, done: Attempt['checkpoint']): Promise<void> {
  await changeRecord(createMachineDisk(system), (record) => ({
    ...record,
    attempt: record.attempt === null ? null : { ...record.attempt, checkpoint: done },
  }));
}

/** After the whole slot was written and read back against the root hash. */
export function commitSlot(system: System, manifest: ReleaseManifest): Promise<void> {
  return commitSlotOn(createMachineDisk(system), readRunning(system), manifest);
}

export function installUki(system: System, manifest: ReleaseManifest, produce: UkiProducer): Promise<void> {
  return installUkiOn(createMachineDisk(system), readRunning(system), manifest, produce);
}

/** The last step: from here on the next start of the machine tries the new version. What works of the network now is what must work then. */
export async function switchTo(system: System, manifest: ReleaseManifest): Promise<void> {
  const disk = createMachineDisk(system);
  demandRequirements(manifest, await machineFacts(system, disk));
  const network = await networkFacts(system);
  await switchToOn(disk, readRunning(system), manifest, network, seconds(system));
  publish(system, await loadRecord(disk));
}

/** slipd: this trial is good. */
export async function confirmTrial(system: System): Promise<void> {
  const disk = createMachineDisk(system);
  const running = readRunning(system);
  await confirm(disk, running, seconds(system));
  system.writeText(`${MACHINE_PATHS.runtime}/boot/trial`, '0\n');
  publish(system, await loadRecord(disk));
}

/** slipd: this trial is not good. The caller restarts the machine where the answer says so. */
export async function failTrial(
  system: System,
  reason: string,
  logs: readonly string[],
): Promise<FailOutcome> {
  const disk = createMachineDisk(system);
  const outcome = await fail(disk, readRunning(system), reason, logs, seconds(system));
  publish(system, await loadRecord(disk));
  return outcome;
}

/** slipd, on an orderly restart in the midst of a trial: this try does not count. */
export async function retryTrial(system: System): Promise<void> {
  const running = readRunning(system);
  if (running.trial) await retry(createMachineDisk(system), running);
}

/** Back to the version from before, by an operator's word; the caller restarts the machine. Returns what boots then. */
export async function rollback(system: System, reason: string): Promise<string> {
  const disk = createMachineDisk(system);
  const version = await rollbackOn(disk, readRunning(system), reason, seconds(system));
  publish(system, await loadRecord(disk));
  return version;
}

/** slipd at its start: makes record and ESP agree with what runs. */
export async function reconcile(system: System): Promise<UpdateRecord> {
  await bootVariablesRead(system);
  const record = await reconcileOn(createMachineDisk(system), {
    running: readRunning(system),
    nowSeconds: seconds(system),
    fallbackFrom: bootFact(system, 'fallback-from'),
  });
  publish(system, record);
  return record;
}

/** What follows a commit: the boot loader, keys. Returns what is left to be done, and leaves it for `slip update status`. */
export async function finishUpdate(system: System, sealed?: SealedState): Promise<readonly FollowUp[]> {
  const disk = createMachineDisk(system);
  const running = readRunning(system);
  if (running.trial) return [];
  const left = await performPending(system, disk, running, sealed);
  writeFollowUps(system, left);
  const repaired = await keepLoaders(system, disk, running).catch((error: unknown) => {
    if (error instanceof SlipwayError) return undefined;
    throw error;
  });
  if (repaired !== undefined) {
    const memory = readScrubMemory(system) ?? NO_SCRUB;
    await writeScrubMemory(system, { ...memory, repairs: [...memory.repairs, repaired] });
  }
  return left;
}

/** `fallback-from` comes from a script that starts late, on purpose (docs/boot.md): the variable behind it is gone when it has run. */
async function bootVariablesRead(system: System): Promise<void> {
  const limitMs = system.uptimeMs() + BACKGROUND_LIMIT_MS;
  while (bootFact(system, 'timeline')?.endsWith(' background') === false && system.uptimeMs() < limitMs)
    await new Promise<void>((resolve) => void system.after(BACKGROUND_POLL_MS, resolve));
}

/** The UKIs of good versions, for the scrub. */
export function scrubUkis(
  system: System,
  options: Pick<UkiScrub, 'known' | 'published'>,
): Promise<readonly UkiFinding[]> {
  return scrubUkisOn({
    ...options,
    disk: createMachineDisk(system),
    running: readRunning(system),
    copy: (from, output) => copyFile(system, from, output),
  });
}

/** For the scrub, after the whole slot was read and is good. */
export async function mendSuperblock(
  system: System,
  slot: SlotName,
  root: Parameters<typeof makeSuperblock>[0],
): Promise<void> {
  const disk = createMachineDisk(system);
  await disk.writeSuperblock(slot, makeSuperblock(root));
  await disk.flushSlot(slot);
}

/** After a start of a committed version, and after a scrub: see guard.ts. What slipd shows is made anew. */
export async function guardBoot(system: System): Promise<void> {
  const disk = createMachineDisk(system);
  const before = readScrubMemory(system) ?? NO_SCRUB;
  const memory = await guardBootOn({
    disk,
    running: readRunning(system),
    memory: before,
    copy: (from, output) => copyFile(system, from, output),
  });
  if (JSON.stringify(memory) !== JSON.stringify(before)) await writeScrubMemory(system, memory);
  publish(system, await loadRecord(disk));
}

async function copyFile(system: System, from: string, output: string): Promise<void> {
  const { code } = await runProgram(system, ['busybox', 'cp', from, output]);
  if (code !== 0) throw new SlipwayError('switch.esp', 'a UKI could not be copied on the boot partition');
}

function publish(system: System, { committed, trial, failed }: UpdateRecord): void {
  const running = readRunning(system);
  const summary = {
    format: '1.0',
    state: running.trial ? 'trial' : 'committed',
    next: trial !== null && trial.rootHash !== running.rootHash ? trial.version : null,
    committed: committed?.version ?? null,
    failed: failed.map(({ version, reason, logs, at }) => ({ version, reason, logs, at })),
    alarms: readScrubMemory(system)?.alarms ?? [],
  };
  system.writeText(SUMMARY, `${JSON.stringify(summary)}\n`);
}

function seconds(system: System): number {
  return Math.max(0, Math.floor(system.wallClockMs() / 1000));
}
