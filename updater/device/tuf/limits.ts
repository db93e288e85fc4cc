/** How large a document may be, and how many there may be: everything that is not signed yet could be endless. */

export interface MetadataLimits {
  readonly rootBytes: number;
  readonly timestampBytes: number;
  readonly snapshotBytes: number;
  readonly targetsBytes: number;
  /** Of each delegated role. */
  readonly delegatedBytes: number;
  /** New versions of root in one refresh; the next one goes on from there (TUF 5.3.3). */
  readonly rootRotations: number;
  readonly delegatedRoles: number;
}

/** For machines, whose updater has 24 MB. */
export const METADATA_LIMITS: MetadataLimits = {
  rootBytes: 65_536,
  timestampBytes: 16_384,
  snapshotBytes: 65_536,
  targetsBytes: 1_048_576,
  delegatedBytes: 65_536,
  rootRotations: 64,
  delegatedRoles: 32,
};
