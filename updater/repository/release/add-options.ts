/** What a release is added with. */
import type { Curve } from '../../release/curve.ts';
import type { RepositoryFiles } from '../repository/files.ts';
import type { PayloadTools } from './payload-tools.ts';
import type { PayloadReport } from './payloads.ts';
import type { SecureBootChanges } from './secure-boot.ts';

export interface AddOptions {
  readonly channels: readonly string[];
  /** Deltas are made from the newest so many older releases. */
  readonly keep: number;
  /** And from these versions. */
  readonly from: readonly string[];
  readonly curve: Curve;
  /** Versions, new or old, that no machine may skip from now on. */
  readonly barriers: readonly string[];
  readonly minimumVersion?: string;
  readonly notes: string;
  readonly withoutBrake: 'hold' | 'follow';
  /** What the releases add to Secure Boot's variables, beside what releases before them do. */
  readonly secureBoot?: SecureBootChanges;
  readonly now?: Date;
  readonly report?: (report: PayloadReport) => void;
  /** For tests; else the builds' own zstd. */
  readonly tools?: PayloadTools;
  readonly files?: RepositoryFiles;
  /** Where images of releases are kept; else in the cache. */
  readonly imageFolder?: string;
}
