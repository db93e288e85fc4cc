/** What a repository offers, for people: how far each release has come, how large it is. */
import type { Brake, ReleaseEntry, ReleaseManifest } from '../../release/document.ts';
import { fractionDue, scheduleOf, type Schedule } from '../../release/schedule.ts';
import type { TufKeys } from '../keys/load.ts';
import { repositoryFiles } from '../repository/files.ts';
import { readPublished } from '../repository/state.ts';
import { readManifest, releasesOf } from './read.ts';

export interface ShownRelease {
  readonly entry: ReleaseEntry;
  readonly manifest: ReleaseManifest;
  readonly channels: readonly ShownChannel[];
}

export interface ShownChannel {
  readonly channel: string;
  /** Of machines that may have it by now, 0 to 1. */
  readonly fraction: number;
  readonly state: Schedule['kind'];
  /** Why it is stopped. */
  readonly reason?: string;
  /** Unix time in seconds when the last machine may have it; absent while it is stopped. */
  readonly completeAt?: number;
}

/** Newest first. */
export async function showReleases(
  directory: string,
  keys: TufKeys,
  now = new Date(),
): Promise<readonly ShownRelease[]> {
  const files = repositoryFiles(directory);
  const state = await readPublished(files, keys);
  const nowS = now.getTime() / 1000;
  const shown: ShownRelease[] = [];
  for (const entry of releasesOf(state.targets)) {
    const channels = Object.keys(entry.channels).map((channel) =>
      shownChannel(entry, channel, state.rollouts.get(channel)?.brake, nowS),
    );
    shown.push({ entry, manifest: await readManifest(files, state.targets, entry), channels });
  }
  return shown;
}

function shownChannel(
  entry: ReleaseEntry,
  channel: string,
  brake: Brake | undefined,
  nowS: number,
): ShownChannel {
  // The last machine: there is none at 1.
  const last = scheduleOf(entry, channel, brake, 1 - 2 ** -53);
  return {
    channel,
    fraction: fractionDue(entry, channel, brake, nowS),
    state: last.kind,
    ...(last.kind === 'paused' || last.kind === 'withdrawn' ? { reason: last.reason } : {}),
    ...(last.kind === 'due' ? { completeAt: Math.ceil(last.dueAt) } : {}),
  };
}
