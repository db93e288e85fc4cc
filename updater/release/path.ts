/** Which releases a machine can go to from the one that it runs: barriers, oldest permitted versions, what it understands. */
import { compareVersions } from '../../spec/version.ts';
import type { ReleaseEntry } from './document.ts';
import { parseReleaseEntry } from './entry.ts';
import { unknownFeatures } from './format.ts';

/** What a machine is, as far as that decides which releases are meant for it. */
export interface Subscription {
  readonly image: string;
  readonly architecture: string;
  readonly channel: string;
}

export interface Listing {
  /** Releases of this image, architecture and channel, newest first; withdrawn ones and those with unknown features too. */
  readonly entries: readonly ReleaseEntry[];
  /** Target name and why it could not be read: none of these hinders the others. */
  readonly unreadable: readonly { readonly name: string; readonly reason: string }[];
}

/** The releases among TUF targets (only `release_*.json` are looked at). */
export function listReleases(
  targets: ReadonlyMap<string, { readonly custom: unknown }>,
  meant: Partial<Subscription> = {},
): Listing {
  const entries: ReleaseEntry[] = [];
  const unreadable: { name: string; reason: string }[] = [];
  for (const [name, { custom }] of targets) {
    if (!name.startsWith('release_')) continue;
    try {
      const entry = parseReleaseEntry((custom as { slipway?: unknown } | undefined)?.slipway, name);
      if (isMeant(entry, meant)) entries.push(entry);
    } catch (error) {
      unreadable.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { entries: entries.sort((a, b) => compareVersions(b.version, a.version)), unreadable };
}

/** Why a release cannot be the next one after the version that runs. */
export type Obstacle =
  | { readonly kind: 'not-newer' }
  | { readonly kind: 'withdrawn'; readonly reason: string }
  | { readonly kind: 'requires'; readonly features: readonly string[] }
  /** It can be reached from this version on only. */
  | { readonly kind: 'minimum-version'; readonly version: string }
  /** This version must be run before. */
  | { readonly kind: 'barrier'; readonly version: string };

/** `undefined` when the machine can go there directly. `entries` are all of its image, architecture and channel. */
export function obstacle(
  entry: ReleaseEntry,
  running: string,
  entries: readonly ReleaseEntry[],
): Obstacle | undefined {
  if (compareVersions(entry.version, running) <= 0) return { kind: 'not-newer' };
  if (entry.withdrawn !== undefined) return { kind: 'withdrawn', reason: entry.withdrawn };
  const features = unknownFeatures(entry.requires);
  if (features.length > 0) return { kind: 'requires', features };
  const { minimumVersion } = entry;
  if (minimumVersion !== undefined && compareVersions(running, minimumVersion) < 0)
    return { kind: 'minimum-version', version: minimumVersion };
  const barrier = barriersBetween(running, entry.version, entries)[0];
  return barrier === undefined ? undefined : { kind: 'barrier', version: barrier };
}

/** Releases that a machine can go to directly, newest first. Which of them it is due for, `scheduleOf` says. */
export function reachable(running: string, entries: readonly ReleaseEntry[]): readonly ReleaseEntry[] {
  return entries
    .filter((entry) => obstacle(entry, running, entries) === undefined)
    .sort((a, b) => compareVersions(b.version, a.version));
}

/** The versions that a machine passes through to the newest it can get to, when it always takes the newest that it can reach. */
export function pathFrom(running: string, entries: readonly ReleaseEntry[]): readonly string[] {
  const path: string[] = [];
  for (let at = running; ;) {
    const next = reachable(at, entries)[0];
    if (next === undefined) return path;
    path.push(next.version);
    at = next.version;
  }
}

/** Oldest first. A withdrawn barrier bars nothing: nobody could pass it. */
function barriersBetween(from: string, to: string, entries: readonly ReleaseEntry[]): readonly string[] {
  return entries
    .filter(({ barrier, withdrawn }) => barrier && withdrawn === undefined)
    .map(({ version }) => version)
    .filter((version) => compareVersions(version, from) > 0 && compareVersions(version, to) < 0)
    .sort(compareVersions);
}

function isMeant(entry: ReleaseEntry, meant: Partial<Subscription>): boolean {
  return (
    (meant.image === undefined || entry.image === meant.image) &&
    (meant.architecture === undefined || entry.architecture === meant.architecture) &&
    (meant.channel === undefined || Object.hasOwn(entry.channels, meant.channel))
  );
}
