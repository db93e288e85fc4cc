/** What verified metadata says, in Slipway's words. */
import type { System } from '../../../system/system.ts';
import { rolloutRole, rolloutTarget } from '../../release/tuf-roles.ts';
import { judgedNow } from './clock.ts';
import type { Session } from './session.ts';

export interface TrustedMetadata {
  /** Top-level targets alone: what a delegated role says is no target (decisions.md 23). */
  readonly targets: ReadonlyMap<string, TrustedTarget>;
  /** What holds back a channel: `custom` of its one target. `undefined` when there is nothing to hold it back. */
  readonly rollout: (channel: string) => { readonly custom: unknown; readonly expired: boolean } | undefined;
  /** Timestamp, or what stands above or below it, is past its time: nothing new may be started on its word. */
  readonly timestampExpired: boolean;
  /** The later of clock and floor. */
  readonly nowMs: number;
}

export interface TrustedTarget {
  readonly lengthBytes: number;
  readonly sha256: string;
  readonly custom: unknown;
}

export function contentsOf(system: System, { trusted, floorMs }: Session): TrustedMetadata {
  const { store } = trusted;
  const nowMs = judgedNow(system.wallClockMs(), floorMs());
  const now = new Date(nowMs);
  const top = [store.root, store.timestamp, store.snapshot, store.targets];
  const entries = Object.entries(store.targets?.signed.targets ?? {}).flatMap(([name, target]) => {
    const sha256 = target.hashes['sha256'];
    if (sha256 === undefined) return [];
    return [[name, { lengthBytes: target.length, sha256, custom: target.custom }] as const];
  });
  return {
    targets: new Map(entries),
    rollout: (channel) => {
      const role = rolloutRole(channel);
      if (!delegates(store.targets, role, rolloutTarget(channel))) return undefined;
      const document = store.getRole(role);
      const target = document?.signed.targets[rolloutTarget(channel)];
      if (document === undefined || target === undefined) return undefined;
      return { custom: target.custom, expired: document.signed.isExpired(now) };
    },
    timestampExpired: top.some((document) => document === undefined || document.signed.isExpired(now)),
    nowMs,
  };
}

/** A delegation counts when it is for exactly one path, and the last word on it (decisions.md 23). */
export function delegates(
  targets: Session['trusted']['store']['targets'],
  role: string,
  path: string,
): boolean {
  const delegation = targets?.signed.delegations?.roles?.[role];
  return delegation?.terminating === true && delegation.paths?.length === 1 && delegation.paths[0] === path;
}
