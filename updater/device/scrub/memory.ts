/**
 * What the last scrub found, and which digests the UKIs had when they were installed. On the state partition, so never believed: a wrong digest costs an
 * alarm that is false, and no more, since whatever is put in a UKI's place has a digest that fits one of both.
 */
import { UPDATE_PATHS } from '../../../spec/update.ts';
import { isImageVersion } from '../../../spec/version.ts';
import type { System } from '../../../system/system.ts';
import { writeDurably } from '../durable.ts';

const PATH = `${UPDATE_PATHS.state}/scrub.json`;
const MAX_ALARMS = 8;
const MAX_TEXT = 300;
const MAX_UKIS = 8;

export interface ScrubMemory {
  /** Unix time in seconds: when the last one ended; of none: when the first began to be waited for. */
  readonly at: number;
  /** What is rotten, and could not be repaired; for people. */
  readonly alarms: readonly string[];
  /** What was repaired. */
  readonly repairs: readonly string[];
  /** Digest by version. */
  readonly ukis: Readonly<Record<string, string>>;
  /** Version of which the boot partition holds a copy of the UKI. */
  readonly copyOf: string | null;
}

export const NO_SCRUB: ScrubMemory = { at: 0, alarms: [], repairs: [], ukis: {}, copyOf: null };

export function readScrubMemory(system: System): ScrubMemory | undefined {
  try {
    const value = JSON.parse(system.readText(PATH) ?? '') as Partial<Record<keyof ScrubMemory, unknown>>;
    const { at, alarms, repairs, ukis, copyOf } = value;
    if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return undefined;
    return {
      at,
      alarms: texts(alarms),
      repairs: texts(repairs),
      ukis: digests(ukis),
      copyOf: typeof copyOf === 'string' && isImageVersion(copyOf) ? copyOf : null,
    };
  } catch {
    return undefined;
  }
}

/** A state partition that takes no more loses it: the next scrub finds the same. */
export async function writeScrubMemory(system: System, memory: ScrubMemory): Promise<void> {
  try {
    await writeDurably(system, PATH, `${JSON.stringify({ format: '1.0', ...memory })}\n`);
  } catch {
    system.log('slip update: what the scrub found could not be written down');
  }
}

/** The digest of a UKI that was just proven to be the published one. */
export async function rememberUki(system: System, version: string, sha256: string): Promise<void> {
  const memory = readScrubMemory(system) ?? NO_SCRUB;
  if (memory.ukis[version] === sha256) return;
  const others = Object.entries(memory.ukis).filter(([other]) => other !== version);
  await writeScrubMemory(system, {
    ...memory,
    ukis: Object.fromEntries([...others.slice(1 - MAX_UKIS), [version, sha256]]),
  });
}

function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value
    .filter((text): text is string => typeof text === 'string')
    .slice(0, MAX_ALARMS)
    .map((text) => text.replaceAll(/[^ -~]/g, '?').slice(0, MAX_TEXT));
}

function digests(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null) return {};
  const all = Object.entries(value as Readonly<Record<string, unknown>>);
  return Object.fromEntries(
    all
      .filter(
        (pair): pair is [string, string] =>
          isImageVersion(pair[0]) && typeof pair[1] === 'string' && /^[0-9a-f]{64}$/.test(pair[1]),
      )
      .slice(-MAX_UKIS),
  );
}
