/**
 * What lies in a repository's directory. All of it but `.slipway` is meant for any web server; and all of that but timestamp.json never changes once
 * it is there.
 *
 * ```
 * timestamp.json                       says which snapshot is the newest; the only file that is ever replaced
 * <n>.snapshot.json                    versions of the files below
 * <n>.targets.json                     the releases
 * <n>.rollout-<channel>.json           a channel's brake
 * <n>.root.json                        keys; all versions, for ever
 * <sha256>.release_<...>.json          a release's manifest
 * <sha256>.payload                     payloads, block lists, small files
 * .slipway/                            the publisher's own: settings, lock, what waits for removal. Never published; not needed by anyone else
 * ```
 */
import { join } from 'node:path';

export const BOOKKEEPING = '.slipway';
export const TIMESTAMP = 'timestamp.json';

export type FileName =
  | { readonly kind: 'timestamp' }
  | { readonly kind: 'metadata'; readonly role: string; readonly version: number }
  | { readonly kind: 'payload'; readonly sha256: string }
  | { readonly kind: 'target'; readonly sha256: string; readonly target: string };

/** `undefined` for what is not ours. */
export function parseFileName(name: string): FileName | undefined {
  if (name === TIMESTAMP) return { kind: 'timestamp' };
  const metadata = /^([1-9]\d{0,14})\.(root|targets|snapshot|rollout-[a-z0-9-]+)\.json$/.exec(name);
  if (metadata?.[2] !== undefined)
    return { kind: 'metadata', role: metadata[2], version: Number(metadata[1]) };
  const payload = /^([0-9a-f]{64})\.payload$/.exec(name)?.[1];
  if (payload !== undefined) return { kind: 'payload', sha256: payload };
  const target = /^([0-9a-f]{64})\.(release_[a-z0-9_.-]+\.json)$/.exec(name);
  return target?.[1] === undefined || target[2] === undefined
    ? undefined
    : { kind: 'target', sha256: target[1], target: target[2] };
}

export function metadataName(role: string, version: number): string {
  return `${version}.${role}.json`;
}

/** TUF 5.7.3: with consistent snapshots, a target's file bears its digest. */
export function targetFileName(sha256: string, target: string): string {
  return `${sha256}.${target}`;
}

export function bookkeepingPath(directory: string, ...names: readonly string[]): string {
  return join(directory, BOOKKEEPING, ...names);
}
