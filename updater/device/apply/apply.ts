/** Fills a slot with a release's root: from the running one by a delta, by the blocks that are here already, or in full. */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import type { PayloadReference, ReleaseManifest } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import type { ApplyContext, Checkpoint, DownloadKind, SlotFacts } from './facts.ts';
import { fetchHeader } from './header.ts';
import { openMedium, type Medium } from './medium.ts';
import { applyOperations } from './operations.ts';
import { rootDelta } from './plan.ts';
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

/**
 * When it returns, the target holds data and verity tree (all but the superblock), read back from the medium, with the release's root hash. Throws
 * `update.slot-too-small`, `update.root-hash`, and what fetching and writing throw.
 */
export async function applyRoot(system: System, options: RootOptions): Promise<ApplyOutcome> {
  const { manifest, source, target } = options;
  if (manifest.root.sizeBytes > target.sizeBytes)
    throw new SlipwayError('update.slot-too-small', 'the release is larger than the slot');
  const before = options.fetcher.receivedBytes();
  system.makeDirectory(options.scratch, 0o700);
  const delta = rootDelta(manifest, source?.rootHash);
  const data = openMedium(system, target.dataDevice, 'read-write');
  const tree = openMedium(system, target.verityDevice, 'read-write');
  const old =
    delta === undefined || source === undefined ? undefined : openMedium(system, source.dataDevice, 'read');
  try {
    await fill(system, options, delta ?? manifest.root.full, { data, old });
    const rootHash = await verify(system, options, data, tree);
    if (rootHash !== manifest.root.rootHash)
      throw new SlipwayError('update.root-hash', 'the slot does not hold what the release says');
    return {
      kind: delta === undefined ? 'full' : 'delta',
      receivedBytes: options.fetcher.receivedBytes() - before,
    };
  } finally {
    for (const medium of [data, tree, old]) medium?.close();
  }
}

async function fill(
  system: System,
  options: RootOptions,
  reference: PayloadReference,
  { data, old }: { readonly data: Medium; readonly old: Medium | undefined },
): Promise<void> {
  const header = await fetchHeader(system, options, reference, {
    targetBytes: options.manifest.root.sizeBytes,
    ...(old === undefined ? { sourceBytes: 0 } : {}),
  });
  const payload = reference.sha256;
  const bad = await applyOperations(system, {
    context: options,
    header,
    name: payloadName(payload),
    source: old,
    target: data,
    from:
      options.resume?.payload === payload ? Math.min(options.resume.operations, header.operations.length) : 0,
    done: (operations) => options.checkpoint({ payload, operations }),
  });
  if (bad.length > 0) throw new SlipwayError('update.source', 'the running root cannot be read');
}

function verify(system: System, options: RootOptions, data: Medium, tree: Medium): Promise<string> {
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
