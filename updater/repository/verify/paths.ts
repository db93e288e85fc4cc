/** Proof that every machine gets to the newest release of its channel, whatever version it runs (decisions.md 22). */
import { compareVersions } from '../../../spec/version.ts';
import type { ReleaseEntry } from '../../release/document.ts';
import { unknownFeatures } from '../../release/format.ts';
import { pathFrom } from '../../release/path.ts';

/** Machines that run `version` (or, as `0`, anything older than all releases) cannot get to `newest`. */
export interface Stranded {
  readonly image: string;
  readonly architecture: string;
  readonly channel: string;
  readonly version: string;
  /** As far as they get. */
  readonly reaches: string | undefined;
  readonly newest: string;
}

/** Older than any release: machines that were installed from an image that was never published. */
const BEFORE_ALL = '0';

export function strandedVersions(entries: readonly ReleaseEntry[]): readonly Stranded[] {
  return groups(entries).flatMap(({ image, architecture, channel, onChannel, ofImage }) => {
    const newest = onChannel
      .filter(({ withdrawn, requires }) => withdrawn === undefined && unknownFeatures(requires).length === 0)
      .map(({ version }) => version)
      .sort(compareVersions)
      .at(-1);
    if (newest === undefined) return [];
    // Machines change channels: what another channel gave them is supported, too.
    const running = [...new Set([BEFORE_ALL, ...ofImage.map(({ version }) => version)])];
    return running
      .filter((version) => compareVersions(version, newest) < 0)
      .flatMap((version) => {
        const reaches = pathFrom(version, onChannel).at(-1);
        return reaches === newest ? [] : [{ image, architecture, channel, version, reaches, newest }];
      });
  });
}

interface Group {
  readonly image: string;
  readonly architecture: string;
  readonly channel: string;
  readonly onChannel: readonly ReleaseEntry[];
  readonly ofImage: readonly ReleaseEntry[];
}

function groups(entries: readonly ReleaseEntry[]): readonly Group[] {
  const names = new Map<string, Pick<Group, 'image' | 'architecture' | 'channel'>>();
  for (const { image, architecture, channels } of entries)
    for (const channel of Object.keys(channels))
      names.set(`${image} ${architecture} ${channel}`, { image, architecture, channel });
  return [...names.values()].map((name) => {
    const ofImage = entries.filter(
      (entry) => entry.image === name.image && entry.architecture === name.architecture,
    );
    return {
      ...name,
      ofImage,
      onChannel: ofImage.filter((entry) => Object.hasOwn(entry.channels, name.channel)),
    };
  });
}
