/**
 * Re-reads what this machine would start from (decisions.md 8): the root that runs and the one to return to, and the UKIs of both; repairs what is
 * rotten; and writes down what it found, as an alarm where something stays so.
 */
import { SlipwayError } from '../../../spec/error.ts';
import type { Context } from '../context.ts';
import { PATHS } from '../paths.ts';
import { withScratch } from '../apply/scratch.ts';
import { readScrubMemory, writeScrubMemory } from './memory.ts';
import { publishedReleases } from './published.ts';
import { scrubSlots, type SlotReport } from './slots.ts';
import type { UkiFinding } from './ukis.ts';

export interface ScrubReport {
  readonly outcome: 'good' | 'repaired' | 'rotten';
  readonly slots: readonly SlotReport[];
  readonly ukis: readonly UkiFinding[];
  /** What stays rotten, in words. */
  readonly alarms: readonly string[];
  readonly repairs: readonly string[];
}

/** By the timer: a slot takes a minute or so, and services hardly notice. */
export const GENTLE_BYTES_PER_SECOND = 16 * 1024 * 1024;

/** The caller has the update lock. `bytesPerSecond`: how fast is read at most. */
export async function scrub(
  context: Context,
  bytesPerSecond: number,
  scratch: string = PATHS.scrub,
): Promise<ScrubReport> {
  const { system, parts, running } = context;
  if (running.trial)
    throw new SlipwayError('update.trial', `${running.version} has yet to prove itself`, {
      hint: 'during a trial a bad block ends the boot: it need not be looked for',
    });
  const releases = publishedReleases(context);
  const pace = pacer(context, bytesPerSecond);
  const memory = readScrubMemory(system);
  const slots = await withScratch(system, scratch, async () =>
    scrubSlots(context, await parts.readBoot(system), releases, pace, scratch),
  );
  context.checkInterrupted();
  const ukis = await parts.scrubUkis(system, { known: memory?.ukis ?? {}, published: releases.uki });
  const copyOf = ukis.find(({ copy }) => copy === 'kept')?.version ?? null;
  const alarms = [...slots.flatMap(slotAlarm), ...ukis.flatMap(ukiAlarm)];
  const repairs = [...slots.flatMap(slotRepair), ...ukis.flatMap(ukiRepair)];
  const known = ukis.flatMap(({ version, sha256 }) =>
    sha256 === undefined ? [] : [[version, sha256] as const],
  );
  await writeScrubMemory(system, {
    at: Math.floor(system.wallClockMs() / 1000),
    alarms,
    repairs,
    // What is on trial, or waits for its switch, was not looked at.
    ukis: Object.fromEntries([...Object.entries(memory?.ukis ?? {}), ...known]),
    copyOf,
  });
  await parts.guardBoot(system);
  const outcome = alarms.length > 0 ? 'rotten' : repairs.length > 0 ? 'repaired' : 'good';
  return { outcome, slots, ukis, alarms, repairs };
}

/** Waits so long that no more is read in a second; and ends where somebody asked for that. */
function pacer(
  { system, checkInterrupted }: Context,
  bytesPerSecond: number,
): (bytes: number) => Promise<void> {
  const startMs = system.uptimeMs();
  let total = 0;
  return async (bytes) => {
    checkInterrupted();
    total += bytes;
    const waitMs = startMs + (total / bytesPerSecond) * 1000 - system.uptimeMs();
    if (waitMs > 1) await new Promise<void>((resolve) => void system.after(waitMs, resolve));
  };
}

function slotAlarm({ slot, version, rotten, repaired, detail }: SlotReport): string[] {
  if (rotten === repaired) return [];
  const left = rotten - repaired;
  return [
    `the root of ${version} (slot ${slot}) has ${left} rotten ${left === 1 ? 'block' : 'blocks'}${detail === undefined ? '' : `: ${detail}`}`,
  ];
}

function slotRepair({ slot, version, repaired }: SlotReport): string[] {
  return repaired === 0
    ? []
    : [`${repaired} rotten ${repaired === 1 ? 'block' : 'blocks'} of the root of ${version} (slot ${slot})`];
}

function ukiAlarm({ version, state, missing, detail }: UkiFinding): string[] {
  const what = missing === true ? 'missing' : 'rotten';
  return state === 'rotten'
    ? [`the UKI of ${version} is ${what}${detail === undefined ? '' : `: ${detail}`}`]
    : [];
}

function ukiRepair({ version, state, missing }: UkiFinding): string[] {
  return state === 'repaired' ? [`the ${missing === true ? 'missing' : 'rotten'} UKI of ${version}`] : [];
}
