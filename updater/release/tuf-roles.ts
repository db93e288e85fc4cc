/** Names in TUF metadata that its writer and the machines share. */

/** Versions of the TUF specification that the metadata names; readers accept the same major number. */
export const TUF_SPECIFICATION = '1.0.31';

/** In the signed part of root and targets alone, which offline keys sign: the time of signing, ISO 8601. It raises machines' clock floor (decisions.md 21). */
export const SIGNED_AT = 'x-slipway-signed-at';

/** In the `custom` of a target: what Slipway says of it. */
export const CUSTOM = 'slipway';

/** A channel's name: 1 to 32 of `a-z 0-9 -`, a letter or digit first and last. */
export function isChannelName(name: string): boolean {
  return /^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$/.test(name);
}

/** The delegated role that may hold back the releases of a channel. */
export function rolloutRole(channel: string): string {
  return `rollout-${channel}`;
}

/** The one target that a channel's role may sign. No file stands behind it. */
export function rolloutTarget(channel: string): string {
  return `rollout/${channel}`;
}
