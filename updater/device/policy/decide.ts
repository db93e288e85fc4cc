/** Which version this machine gets, when, and why; and why not another. Pure: the same facts always give the same answer. Unix times in seconds. */
import type { UpdateSettings } from '../../../spec/update.ts';
import { compareVersions } from '../../../spec/version.ts';
import { releaseTargetName, type Brake, type ReleaseEntry } from '../../release/document.ts';
import { obstacle, type Obstacle } from '../../release/path.ts';
import { position } from '../../release/position.ts';
import { scheduleOf, type Schedule } from '../../release/schedule.ts';

export interface DecisionFacts {
  /** Releases of this image, architecture and channel (listReleases). */
  readonly entries: readonly ReleaseEntry[];
  readonly channel: string;
  /** The channel's; undefined when it is missing, expired or unreadable. */
  readonly brake: Brake | undefined;
  /** Version that booted (failure 31). */
  readonly running: string;
  readonly hostId: string;
  readonly wave: UpdateSettings['wave'];
  /** Versions that an operator of this machine does not want; `*`: none at all. */
  readonly holds: readonly string[];
  /** Versions that failed here. */
  readonly failed: readonly { readonly version: string; readonly reason: string }[];
  readonly now: number;
}

export type Verdict =
  | { readonly kind: 'due' | 'later'; readonly dueAt: number; readonly slowed: boolean }
  | { readonly kind: 'held' }
  | { readonly kind: 'failed'; readonly reason: string }
  | Exclude<Schedule, { kind: 'due' }>
  | Obstacle;

export interface Candidate {
  readonly entry: ReleaseEntry;
  /** Where this machine stands in the release's roll-out: 0 <= u < 1. */
  readonly position: number;
  readonly verdict: Verdict;
}

export interface Decision {
  /** What the machine takes by itself, now. */
  readonly target: Candidate | undefined;
  /** What `slip update apply` takes now: the newest that nothing but the time speaks against. */
  readonly offered: Candidate | undefined;
  /** What it will take by itself later, if nothing changes: the earliest. */
  readonly next: Candidate | undefined;
  /** Every release that is newer than what runs, the newest first. */
  readonly candidates: readonly Candidate[];
}

export function decide(facts: DecisionFacts): Decision {
  const candidates = facts.entries
    .filter(({ version }) => compareVersions(version, facts.running) > 0)
    .sort((a, b) => compareVersions(b.version, a.version))
    .map((entry) => judge(facts, entry));
  const target = candidates.find(({ verdict }) => verdict.kind === 'due');
  const later = candidates
    .filter(({ verdict, entry }) => verdict.kind === 'later' && isNewer(entry, target?.entry))
    .sort((a, b) => dueAt(a) - dueAt(b));
  return {
    target,
    offered: candidates.find(({ verdict }) => verdict.kind === 'due' || verdict.kind === 'later'),
    next: later[0],
    candidates,
  };
}

/** One release, newer than what runs or not. What speaks against it for longest comes first. */
export function judge(facts: DecisionFacts, entry: ReleaseEntry): Candidate {
  const { channel, brake, wave, now } = facts;
  const place = wavePosition(wave, position(releaseTargetName(entry), facts.hostId));
  return { entry, position: place, verdict: verdictOn() };

  function verdictOn(): Verdict {
    const barred = obstacle(entry, facts.running, facts.entries);
    if (barred !== undefined) return barred;
    const failed = facts.failed.find(({ version }) => version === entry.version);
    if (failed !== undefined) return { kind: 'failed', reason: failed.reason };
    if (facts.holds.includes('*') || facts.holds.includes(entry.version)) return { kind: 'held' };
    const schedule = scheduleOf(entry, channel, brake, place);
    if (schedule.kind !== 'due') return schedule;
    return { ...schedule, kind: schedule.dueAt <= now ? 'due' : 'later' };
  }
}

/** The largest number below 1: the last of all machines. */
const LAST = 1 - Number.EPSILON / 2;

function wavePosition(wave: UpdateSettings['wave'], chance: number): number {
  if (wave === 'normal') return chance;
  return wave === 'early' ? 0 : wave === 'late' ? LAST : Math.min(wave, LAST);
}

function isNewer(entry: ReleaseEntry, other: ReleaseEntry | undefined): boolean {
  return other === undefined || compareVersions(entry.version, other.version) > 0;
}

function dueAt({ verdict }: Candidate): number {
  return verdict.kind === 'due' || verdict.kind === 'later' ? verdict.dueAt : Infinity;
}
