/** How a release comes here, and what that costs, from what is known before anything is fetched. */
import type { DeltaReference, ReleaseManifest } from '../../release/document.ts';
import type { DownloadPlan } from './facts.ts';

/** What this machine runs. */
export interface PlanFacts {
  /** Root hash of the running version. */
  readonly rootHash?: string;
  /** SHA-256 of its UKI. */
  readonly ukiSha256?: string;
  /** Salt of its verity tree: with the release's, its blocks can be compared without hashing them. */
  readonly salt?: string;
}

export function planDownload(manifest: ReleaseManifest, facts: PlanFacts): DownloadPlan {
  const { root, uki } = manifest;
  const ukiBytes = (uki.deltas.find(({ fromHash }) => fromHash === facts.ukiSha256) ?? uki.full).sizeBytes;
  const delta = rootDelta(manifest, facts.rootHash);
  if (delta !== undefined) return { kind: 'delta', bytes: delta.sizeBytes + ukiBytes };
  if (facts.salt !== undefined && facts.salt === root.salt)
    return { kind: 'blocks', bytes: root.blockList.sizeBytes + root.full.sizeBytes + ukiBytes };
  return { kind: 'full', bytes: root.full.sizeBytes + ukiBytes };
}

export function rootDelta(
  { root }: ReleaseManifest,
  rootHash: string | undefined,
): DeltaReference | undefined {
  return root.deltas.find(({ fromHash }) => fromHash === rootHash);
}
