/** What filling a slot works on. */
import type { ReleaseManifest } from '../../release/document.ts';
import type { ApplyContext, Checkpoint, SlotFacts } from './facts.ts';
import type { Medium } from './medium.ts';

export interface RootOptions extends ApplyContext {
  readonly manifest: ReleaseManifest;
  /** The running version's slot; none when it is not known or must not be used. */
  readonly source: SlotFacts | undefined;
  /** Its superblock is zeroed already; neither that nor anything behind the root is touched. */
  readonly target: SlotFacts;
  /** What an earlier call had done, of whatever payload. */
  readonly resume?: Checkpoint;
  /** Called when more is done and durable. */
  readonly checkpoint: (done: Checkpoint) => Promise<void>;
}

/** The devices while they are open. */
export interface Media {
  readonly data: Medium;
  readonly tree: Medium;
  readonly source: { readonly data: Medium; readonly tree: Medium } | undefined;
}
