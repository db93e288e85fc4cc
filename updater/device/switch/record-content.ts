/** The content of the update record: shapes, bounds, and a parser that believes nothing. */
import type { UkiContent } from '../../release/document.ts';
import type { SlotName } from './facts.ts';

export interface VersionId {
  readonly version: string;
  readonly rootHash: string;
}

/** A version that is being brought here; gone once it was tried. */
export interface Attempt extends VersionId {
  readonly slot: SlotName;
  /**
   * `writing`: the slot is being filled. `written`: it holds the whole root, read back and proven. `installed`: the UKI lies verified beside
   * the others, under a name that no boot loader takes.
   */
  readonly stage: 'writing' | 'written' | 'installed';
  readonly uki: { readonly sha256: string; readonly sizeBytes: number };
  /** Operations of this payload (its SHA-256) that are done, from the first on. */
  readonly checkpoint: { readonly payload: string; readonly operations: number } | null;
  readonly startedAt: number;
}

/** What worked just before the reboot into a trial (decisions.md 17): all of it must work again, or that version broke it. */
export interface NetworkFacts {
  readonly interfaces: readonly {
    readonly name: string;
    /** It had an address of its own. */
    readonly ipv4: boolean;
    readonly ipv6: boolean;
    /** The router answered. */
    readonly gateway: boolean;
  }[];
}

/** Digests of who signed a UKI; `null` for the version that the machine was installed with. */
export type Signer = UkiContent['signer'];

/** A version that boots next, or has been booted, and is not committed. */
export interface Trial extends VersionId {
  readonly slot: SlotName;
  /** What to return to. */
  readonly previous: VersionId & { readonly slot: SlotName };
  readonly switchedAt: number;
  readonly network: NetworkFacts;
  readonly stateVersion: number;
  readonly signer: Signer;
  /** What is to be done once it is committed. */
  readonly pending: readonly PendingAction[];
}

export interface FailedVersion extends VersionId {
  readonly reason: string;
  /** Last lines of the log of what failed. */
  readonly logs: readonly string[];
  readonly at: number;
  /** How often this machine was restarted because of it. */
  readonly restarts: number;
  /** Another version has run since: the way back is complete. Should it run once more, somebody wanted it to. */
  readonly returned: boolean;
}

/** Secure Boot's variables that a release may add to. */
export type KeyVariable = 'KEK' | 'db' | 'dbx';

/**
 * What follows a commit. `loader`: the copies of systemd-boot, of which a new one was named for one start `tries` times. `variable`: a signed addition.
 */
export type PendingAction =
  | {
      readonly kind: 'loader';
      readonly sha256: string;
      readonly version: string;
      readonly tries?: number;
    }
  | { readonly kind: 'variable'; readonly variable: KeyVariable; readonly sha256: string };

/** Times are Unix seconds by this machine's clock: for people, never for a decision. */
export interface UpdateRecord {
  readonly attempt: Attempt | null;
  readonly trial: Trial | null;
  /** The last version that proved itself. */
  readonly committed: (VersionId & { readonly at: number; readonly signer: Signer | null }) | null;
  /** What lies in the other slot since then: what can be returned to. */
  readonly older: (VersionId & { readonly stateVersion: number; readonly signer: Signer | null }) | null;
  /** What the data on the state partition has been brought to; 0: as the machine was installed. */
  readonly stateVersion: number;
  /** Newest last. */
  readonly failed: readonly FailedVersion[];
  readonly pending: readonly PendingAction[];
}

export const EMPTY_RECORD: UpdateRecord = {
  attempt: null,
  trial: null,
  committed: null,
  older: null,
  stateVersion: 0,
  failed: [],
  pending: [],
};

/** With these, the longest record fits its copy: 16 failed versions of 1.5 kB and some more. */
export const RECORD_LIMITS = {
  failed: 16,
  reason: 300,
  logLines: 6,
  logLine: 160,
  pending: 8,
  interfaces: 16,
} as const;

/** The record with one more failed version; the oldest goes where there are too many. */
export function withFailed(record: UpdateRecord, failed: FailedVersion): UpdateRecord {
  const others = record.failed.filter((known) => !isSame(known, failed));
  const entry: FailedVersion = {
    ...failed,
    reason: plain(failed.reason, RECORD_LIMITS.reason),
    logs: failed.logs.slice(-RECORD_LIMITS.logLines).map((line) => plain(line, RECORD_LIMITS.logLine)),
  };
  return { ...record, failed: [...others, entry].slice(-RECORD_LIMITS.failed) };
}

/** Whether this very version failed here before. */
export function findFailed(record: UpdateRecord, id: VersionId): FailedVersion | undefined {
  return record.failed.find((known) => isSame(known, id));
}

export function isSame(a: VersionId, b: VersionId): boolean {
  return a.version === b.version && a.rootHash === b.rootHash;
}

/** Printable ASCII that JSON needs not escape, so that its length is known. */
function plain(text: string, length: number): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('\\', '/')
    .replaceAll(/[^ -~]/g, '?')
    .slice(0, length);
}
