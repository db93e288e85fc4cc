/** Names in a repository, and the forms that readers hold them to. Names of files are flat: any store can hold them (decisions.md 26). */
import { isImageVersion } from '../../spec/version.ts';
import { checked, text } from './reader.ts';

/** Name of a release's manifest among the targets. `~` becomes `-`, which stands in no version: some stores rename files with `~`. */
export function releaseTargetName(release: {
  readonly image: string;
  readonly version: string;
  readonly architecture: string;
}): string {
  return `release_${release.image}_${release.version.replace('~', '-')}_${release.architecture}.json`;
}

/** Name under which a payload, block list or small file lies in the repository. */
export function payloadName(sha256: string): string {
  return `${sha256}.payload`;
}

/** See `isChannelName`. */
export const CHANNEL = /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/;
const IMAGE = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
const ARCHITECTURE = /^[a-z0-9][a-z0-9-]{0,15}$/;
const RELEASE_TARGET = /^release_[a-z0-9][a-z0-9_.-]{0,150}\.json$/;
/** A brake's key: a release, or all of the channel's. */
export const BRAKED = new RegExp(`${RELEASE_TARGET.source}|^\\*$`);

export const imageName = text({ form: IMAGE, what: 'the name of an image' });
export const architecture = text({ form: ARCHITECTURE, what: 'an architecture' });
export const sha256 = text({ form: /^[0-9a-f]{64}$/, what: '64 hexadecimal digits' });
export const version = checked(text({ max: 64 }), (value) =>
  isImageVersion(value) ? undefined : `should be an image's version, and is '${value}'`,
);
