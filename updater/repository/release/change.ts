/** Changes to what is published: taken back, or brought to another channel. Signed by the offline keys. */
import { SlipwayError } from '../../../spec/error.ts';
import type { Curve } from '../../release/curve.ts';
import type { ReleaseEntry } from '../../release/document.ts';
import type { TufKeys } from '../keys/load.ts';
import { repositoryFiles } from '../repository/files.ts';
import { withRepositoryLock } from '../repository/lock.ts';
import { publish, type Publication } from '../repository/publish.ts';
import { readPublished } from '../repository/state.ts';
import { strandedVersions, type Stranded } from '../verify/paths.ts';
import { chooseReleases, releasesOf, withEntries, type ReleaseChoice } from './read.ts';

export interface Changed {
  readonly entries: readonly ReleaseEntry[];
  /** Versions that lead nowhere from now on, and did before. */
  readonly stranded: readonly Stranded[];
  readonly publication: Publication;
}

/** Offers a release to nobody any more. Machines that have it keep it. */
export function withdrawRelease(
  directory: string,
  keys: TufKeys,
  choice: ReleaseChoice,
  options: { readonly reason: string; readonly now?: Date },
): Promise<Changed> {
  return changeEntries(directory, keys, choice, options.now, (entry) => ({
    ...entry,
    withdrawn: options.reason,
  }));
}

/** Gives a release to another channel, where its curve starts now. */
export function promoteRelease(
  directory: string,
  keys: TufKeys,
  choice: ReleaseChoice,
  options: { readonly channel: string; readonly curve: Curve; readonly now?: Date },
): Promise<Changed> {
  const { channel, curve, now = new Date() } = options;
  if (keys.channels[channel] === undefined) {
    throw new SlipwayError('usage.channel', `there is no channel ${channel}`, {
      hint: `there are ${Object.keys(keys.channels).join(', ')}; add one: slipway keys init ${keys.directory} --channel ${channel}`,
    });
  }
  return changeEntries(directory, keys, choice, now, (entry) => {
    const name = `${entry.image} ${entry.version} (${entry.architecture})`;
    if (entry.withdrawn !== undefined)
      throw new SlipwayError('release.withdrawn', `${name} is withdrawn: ${entry.withdrawn}`);
    if (Object.hasOwn(entry.channels, channel))
      throw new SlipwayError('release.promoted', `${name} is on ${channel} already`);
    const rollout = { startsAt: Math.floor(now.getTime() / 1000), curve };
    return { ...entry, channels: { ...entry.channels, [channel]: rollout } };
  });
}

async function changeEntries(
  directory: string,
  keys: TufKeys,
  choice: ReleaseChoice,
  now: Date | undefined,
  change: (entry: ReleaseEntry) => ReleaseEntry,
): Promise<Changed> {
  const files = repositoryFiles(directory);
  return withRepositoryLock(directory, async () => {
    const state = await readPublished(files, keys);
    const all = releasesOf(state.targets);
    const chosen = chooseReleases(all, choice);
    const entries = chosen.map(change);
    const after = all.map((entry) => entries[chosen.indexOf(entry)] ?? entry);
    const before = new Set(strandedVersions(all).map((each) => JSON.stringify(each)));
    const publication = await publish(
      files,
      state,
      keys,
      { targets: withEntries(state.targets, entries) },
      now,
    );
    return {
      entries,
      publication,
      stranded: strandedVersions(after).filter((each) => !before.has(JSON.stringify(each))),
    };
  });
}
