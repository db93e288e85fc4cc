/** Fills a slot with a release's root: from the running one by a delta, by the blocks that are here already, or in full. */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import type { ApplyContext, Checkpoint, DownloadKind, SlotFacts } from './facts.ts';
import { fillSlot, repairSlot } from './fill.ts';
import { openMedium, type Medium } from './medium.ts';
import { withScratch } from './scratch.ts';
import { makeTree } from './tree.ts';

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

export interface ApplyOutcome {
  readonly kind: DownloadKind;
  /** Over the network, by this call. */
  readonly receivedBytes: number;
}

/** The devices while they are open. */
export interface Media {
  readonly data: Medium;
  readonly tree: Medium;
  readonly source: { readonly data: Medium; readonly tree: Medium } | undefined;
}

/**
 * When it returns, the target holds data and verity tree (all but the superblock), read back from the medium, with the release's root hash. Throws
 * `update.slot-too-small`, `update.root-hash`, `update.not-allowed` (by `mayFetch`), and what fetching and writing throw.
 */
export async function applyRoot(system: System, options: RootOptions): Promise<ApplyOutcome> {
  const { manifest, target } = options;
  if (manifest.root.sizeBytes > target.sizeBytes || manifest.root.sizeBytes % BLOCK_BYTES !== 0)
    throw new SlipwayError('update.slot-too-small', 'the release does not fit the slot');
  return withScratch(system, options.scratch, () => fillAndVerify(system, options));
}

async function fillAndVerify(system: System, options: RootOptions): Promise<ApplyOutcome> {
  const { rootHash } = options.manifest.root;
  const before = options.fetcher.receivedBytes();
  const media = openMedia(system, options);
  try {
    const kind = await fillSlot(system, options, media);
    if ((await verify(system, options, media)) !== rootHash) {
      await repairSlot(system, options, media);
      if ((await verify(system, options, media)) !== rootHash)
        throw new SlipwayError('update.root-hash', 'the slot does not hold what the release says', {
          hint: 'the disk may be failing',
        });
    }
    return { kind, receivedBytes: options.fetcher.receivedBytes() - before };
  } finally {
    for (const medium of [media.data, media.tree, media.source?.data, media.source?.tree]) medium?.close();
  }
}

function openMedia(system: System, { source, target }: RootOptions): Media {
  return {
    data: openMedium(system, target.dataDevice, 'read-write'),
    tree: openMedium(system, target.verityDevice, 'read-write'),
    source:
      source === undefined
        ? undefined
        : {
            data: openMedium(system, source.dataDevice, 'read'),
            tree: openMedium(system, source.verityDevice, 'read'),
          },
  };
}

/** The root hash of what the medium holds, whose tree is written meanwhile. */
function verify(system: System, options: RootOptions, { data, tree }: Media): Promise<string> {
  const { sizeBytes, salt } = options.manifest.root;
  return makeTree(system, data, tree, {
    scratch: options.scratch,
    dataBlocks: sizeBytes / BLOCK_BYTES,
    salt,
    progress: (blocks) =>
      options.progress({
        phase: 'verify',
        doneBytes: blocks * BLOCK_BYTES,
        totalBytes: sizeBytes,
        receivedBytes: options.fetcher.receivedBytes(),
      }),
  });
}
