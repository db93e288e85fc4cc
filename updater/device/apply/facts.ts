/** What applying works on, and what it reports. */
import type { Fetcher } from '../fetch/fetcher.ts';

/** One of the two places for a root. Regular files stand for the devices in tests. */
export interface SlotFacts {
  readonly slot: 'a' | 'b';
  readonly dataDevice: string;
  readonly verityDevice: string;
  /** Of the data device. */
  readonly sizeBytes: number;
  /** Of what it holds, where that is known. */
  readonly rootHash?: string;
}

/** Operations of this payload (its SHA-256) that are done and durable, from the first on: what a later call goes on from. */
export interface Checkpoint {
  readonly payload: string;
  readonly operations: number;
}

export type ApplyPhase = 'root' | 'verify' | 'repair' | 'uki';

export interface ApplyProgress {
  readonly phase: ApplyPhase;
  /** Bytes of the result, made or verified. */
  readonly doneBytes: number;
  readonly totalBytes: number;
  /** Over the network since the fetcher was made. */
  readonly receivedBytes: number;
}

export type DownloadKind = 'delta' | 'blocks' | 'full';

export interface DownloadPlan {
  readonly kind: DownloadKind;
  /** Of everything that is fetched, the UKI included. `blocks`: at most so many. */
  readonly bytes: number;
}

/** What both ways of applying need. */
export interface ApplyContext {
  readonly fetcher: Fetcher;
  /** A directory in memory (tmpfs) of this process alone. */
  readonly scratch: string;
  readonly progress: (progress: ApplyProgress) => void;
  /**
   * Asked before more is fetched than was planned: a delta that does not fit after all, a damaged block of the running root. Nothing is fetched in
   * silence over a metered link. Always allowed without it.
   */
  readonly mayFetch?: (kind: DownloadKind | 'repair', bytes: number) => boolean;
}
