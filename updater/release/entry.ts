/** Reads a ReleaseEntry. */
import { compareVersions } from '../../spec/version.ts';
import { curve } from './curve.ts';
import type { ReleaseEntry, Rollout } from './document.ts';
import { format, openDocument, requires } from './format.ts';
import { architecture, CHANNEL, imageName, releaseTargetName, version } from './names.ts';
import { boolean, checked, integer, mapping, object, oneOf, optional, text } from './reader.ts';

/** Unix seconds up to the year 9999. */
export const MAX_UNIX_S = 253402300799;
const MAX_CHANNELS = 32;

const entry = checked(
  object<ReleaseEntry>({
    format,
    requires,
    image: imageName,
    version,
    architecture,
    channels: mapping(CHANNEL, object<Rollout>({ startsAt: integer(0, MAX_UNIX_S), curve }), MAX_CHANNELS),
    sequence: integer(1, Number.MAX_SAFE_INTEGER),
    barrier: boolean,
    withdrawn: optional(text({ max: 1000 })),
    minimumVersion: optional(version),
    withoutBrake: oneOf('hold', 'follow'),
  }),
  ({ minimumVersion, version: own }) =>
    minimumVersion !== undefined && compareVersions(minimumVersion, own) >= 0
      ? `can only be reached from ${minimumVersion}, which is not older than itself`
      : undefined,
);

/**
 * Throws `release.invalid`, or `release.format` for what a later Slipway wrote. `requires` may hold features that this reader does not know:
 * see `unknownFeatures`. `targetName` is the name that it was listed under, which must be its own.
 */
export function parseReleaseEntry(value: unknown, targetName: string): ReleaseEntry {
  const place = openDocument(value, targetName);
  return checked(entry, (read) =>
    releaseTargetName(read) === targetName ? undefined : `describes ${releaseTargetName(read)}`,
  )(value, place);
}
