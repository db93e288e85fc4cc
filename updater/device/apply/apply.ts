/** Fills a slot with a release's root: from the running one by a delta, by the blocks that are here already, or in full. */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import type { Operation } from '../../payload/operation.ts';
import type { DownloadKind } from './facts.ts';
import { deltaLeaves } from './delta-leaves.ts';
import { fillSlot, repairSlot, type FilledByDelta } from './fill.ts';
import { findTree } from './leaves.ts';
import { openMedium } from './medium.ts';
import type { Media, RootOptions } from './root-options.ts';
import { withScratch } from './scratch.ts';
import { makeTree, type TreeOptions } from './tree.ts';

export interface ApplyOutcome {
  readonly kind: DownloadKind;
  /** Over the network, by this call. */
  readonly receivedBytes: number;
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
  const before = options.fetcher.receivedBytes();
  const media = openMedia(system, options);
  try {
    const { kind, delta } = await fillSlot(system, options, media);
    if (delta === undefined || !(await verifyDelta(system, options, media, delta)))
      await verifyBlocks(system, options, media);
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

/**
 * What a delta made, by one digest of all that is read back, beside a tree of which little is hashed: in a fraction of the time that `verifyBlocks` takes.
 * False says only that something is not as it should be, or cannot be told this way.
 */
async function verifyDelta(
  system: System,
  options: RootOptions,
  media: Media,
  { operations, digest }: FilledByDelta,
): Promise<boolean> {
  const { sizeBytes, rootHash, sha256 } = options.manifest.root;
  const verified = progressOf(options);
  verified(0);
  try {
    await media.data.flush();
    digest.reach(sizeBytes);
    if ((await makeDeltaTree(system, options, media, operations)) !== rootHash) return false;
    const same = (await digest.end(sizeBytes)) === sha256;
    verified(sizeBytes / BLOCK_BYTES);
    return same;
  } finally {
    await digest.abandon();
  }
}

/** The root hash; `undefined` where the running version's tree is of no use. */
async function makeDeltaTree(
  system: System,
  options: RootOptions,
  { data, tree, source }: Media,
  operations: readonly Operation[],
): Promise<string | undefined> {
  if (source === undefined) return undefined;
  const { sizeBytes, salt } = options.manifest.root;
  const sourceBlocks = await findTree(system, options.scratch, salt, source);
  if (sourceBlocks === undefined) return undefined;
  const writeLeaves = deltaLeaves({
    operations,
    source: { tree: source.tree, dataBlocks: sourceBlocks },
    target: { data, tree, dataBlocks: sizeBytes / BLOCK_BYTES },
  });
  if (writeLeaves === undefined) return undefined;
  return makeTree(system, data, tree, { ...treeOptions(options), writeLeaves });
}

/** Block by block; what is wrong is fetched anew, once. */
async function verifyBlocks(system: System, options: RootOptions, media: Media): Promise<void> {
  const { rootHash } = options.manifest.root;
  const verify = (): Promise<string> =>
    makeTree(system, media.data, media.tree, { ...treeOptions(options), progress: progressOf(options) });
  if ((await verify()) === rootHash) return;
  await repairSlot(system, options, media);
  if ((await verify()) !== rootHash)
    throw new SlipwayError('update.root-hash', 'the slot does not hold what the release says', {
      hint: 'the disk may be failing',
    });
}

function treeOptions({ manifest, scratch }: RootOptions): TreeOptions {
  return { scratch, dataBlocks: manifest.root.sizeBytes / BLOCK_BYTES, salt: manifest.root.salt };
}

function progressOf({ progress, manifest, fetcher }: RootOptions): (blocks: number) => void {
  return (blocks) => {
    progress({
      phase: 'verify',
      doneBytes: blocks * BLOCK_BYTES,
      totalBytes: manifest.root.sizeBytes,
      receivedBytes: fetcher.receivedBytes(),
    });
  };
}
