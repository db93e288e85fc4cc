/** What the machine remembers of its looks at the repository, as long as it runs; and when it looks again. */
import { UPDATE_PATHS } from '../../spec/update.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

export interface FollowMemory {
  /** Unix time in seconds of the last look that succeeded; 0: none yet. */
  readonly lookedAt: number;
  /** Failed looks since. */
  readonly failures: number;
  /** Of the last one, if it failed. */
  readonly error: { readonly code: string; readonly message: string } | null;
  /** Versions that are passed over, and why: no delta fits; this machine is too small. */
  readonly passedOver: Readonly<Record<string, string>>;
}

export const NO_MEMORY: FollowMemory = { lookedAt: 0, failures: 0, error: null, passedOver: {} };

export function readFollowMemory(system: System): FollowMemory {
  try {
    return { ...NO_MEMORY, ...(JSON.parse(system.readText(PATHS.follow) ?? '') as Partial<FollowMemory>) };
  } catch {
    return NO_MEMORY;
  }
}

export function writeFollowMemory(system: System, memory: FollowMemory): void {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  system.writeText(PATHS.follow, `${JSON.stringify(memory)}\n`);
}

/** What poll.js needs, so that it reads nothing else. */
export interface PollFile {
  /** In order; empty: there is nothing to poll. */
  readonly mirrors: readonly string[];
  readonly proxy: string | null;
  readonly ca: string | null;
  /** The stored timestamp's path: the same bytes again mean that nothing is new. */
  readonly timestamp: string;
  readonly pollMs: number;
  /** From this time on (Unix seconds) the updater itself has something to do, new or not. */
  readonly followAt: number;
}

/** Sets slipd's timer. */
export function scheduleNext(system: System, nextAt: number, poll: PollFile): void {
  system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
  // A proxy's address may hold a password.
  system.writeText(PATHS.poll, `${JSON.stringify(poll)}\n`, 0o600);
  system.writeText(UPDATE_PATHS.next, `${nextAt}\n`);
}

/** The updater itself runs soon: something that it goes by has changed. */
export function followSoon(system: System): void {
  system.remove(PATHS.poll);
  try {
    system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
    system.writeText(UPDATE_PATHS.next, `${Math.floor(system.wallClockMs() / 1000)}\n`);
  } catch {
    // It runs at the next poll, then.
  }
}
