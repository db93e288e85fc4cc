/** The ways in which a slot comes to hold a new root; each falls back to the next one, never in silence. */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import type { Extent, Operation, PayloadHeader } from '../../payload/operation.ts';
import type { DeltaReference } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import { fetchedBytes } from './blob-source.ts';
import { blockTasks, findBlocks, missingBlobs, missingExtents, missingOnly, type Places } from './blocks.ts';
import { startDigest, type GrowingDigest } from './bulk.ts';
import type { ApplyPhase, DownloadKind } from './facts.ts';
import { fetchHeader } from './header.ts';
import { fetchBlockList, findTree, readLeaves, type Leaves } from './leaves.ts';
import { applyOperations, blobsFrom, tasksFrom } from './operations.ts';
import { rootDelta } from './plan.ts';
import type { Media, RootOptions } from './root-options.ts';

export interface Filled {
  readonly kind: DownloadKind;
  readonly delta?: FilledByDelta;
}

export interface FilledByDelta {
  /** All of them, whatever of them an earlier run had done. */
  readonly operations: readonly Operation[];
  /** Of the slot, as far as it was filled; to be ended or abandoned. */
  readonly digest: GrowingDigest;
}

export async function fillSlot(system: System, options: RootOptions, media: Media): Promise<Filled> {
  const delta = rootDelta(options.manifest, options.source?.rootHash);
  const byDelta = delta === undefined ? undefined : await fillByDelta(system, options, media, delta);
  if (byDelta !== undefined) return { kind: 'delta', delta: byDelta };
  const planned = delta === undefined;
  const full = await fullHeader(system, options);
  const places = await placesOf(system, options, media);
  if (places === undefined) {
    if (!planned) allow(options, 'full', fetchedBytes(blobsFrom(full, 0)));
    await fillFrom(system, options, media, { full, places: allMissing(options), phase: 'root' });
    return { kind: 'full' };
  }
  if (!planned) allow(options, 'blocks', fetchedBytes(missingBlobs(full, places, 0)));
  await repairExtents(
    system,
    options,
    media,
    await fillFrom(system, options, media, { full, places, phase: 'root' }),
  );
  return { kind: 'blocks' };
}

/** The slot is not what it should be: whatever of its blocks the release's list says is wrong comes from the full payload. */
export async function repairSlot(system: System, options: RootOptions, media: Media): Promise<void> {
  const { root } = options.manifest;
  const dataBlocks = root.sizeBytes / BLOCK_BYTES;
  allow(options, 'repair', root.blockList.sizeBytes + root.full.headerBytes);
  const wanted = await fetchBlockList(system, options, root.blockList, dataBlocks);
  const places = missingOnly(wanted, readLeaves(media.tree, dataBlocks));
  await repair(system, options, media, places);
}

/** `undefined` where the delta is no good after all. */
async function fillByDelta(
  system: System,
  options: RootOptions,
  media: Media,
  delta: DeltaReference,
): Promise<FilledByDelta | undefined> {
  const payload = delta.sha256;
  let digest = startDigest(system, media.data);
  try {
    const header = await fetchHeader(system, options, delta, {
      targetBytes: options.manifest.root.sizeBytes,
    });
    const from = resumed(options, payload, header);
    const bad = await applyOperations(system, {
      context: options,
      phase: 'root',
      name: payloadName(payload),
      tasks: tasksFrom(header, from),
      blobs: blobsFrom(header, from),
      source: media.source?.data,
      target: media.data,
      targetBytes: header.targetBytes,
      done: (operations) => options.checkpoint({ payload, operations }),
      synced: digest.reach,
    });
    if (bad.length > 0) {
      await repairExtents(system, options, media, bad);
      // What it read was not what is there now.
      await digest.abandon();
      digest = startDigest(system, media.data);
    }
    return { operations: header.operations, digest };
  } catch (error) {
    await digest.abandon();
    // A limit that its publisher did not know, a delta that is gone or broken: none of these keeps a machine from its update.
    if (
      error instanceof SlipwayError &&
      (error.code.startsWith('payload.') || error.code === 'fetch.missing')
    )
      return undefined;
    throw error;
  }
}

/** Where the blocks of the release are on this machine; `undefined` where nothing can be told. */
async function placesOf(system: System, options: RootOptions, media: Media): Promise<Places | undefined> {
  const { root } = options.manifest;
  const source = await leavesOf(system, options, media.source);
  // What an interrupted attempt wrote, its tree does not tell.
  const target = options.resume === undefined ? await leavesOf(system, options, media) : undefined;
  if (source === undefined && target === undefined) return undefined;
  const wanted = await fetchBlockList(system, options, root.blockList, root.sizeBytes / BLOCK_BYTES);
  return findBlocks(wanted, source, target);
}

async function leavesOf(
  system: System,
  { scratch, manifest }: RootOptions,
  slot: Pick<Media, 'data' | 'tree'> | undefined,
): Promise<Leaves | undefined> {
  if (slot === undefined) return undefined;
  const blocks = await findTree(system, scratch, manifest.root.salt, slot);
  return blocks === undefined ? undefined : readLeaves(slot.tree, blocks);
}

async function repairExtents(
  system: System,
  options: RootOptions,
  media: Media,
  bad: readonly Extent[],
): Promise<void> {
  if (bad.length === 0) return;
  await repair(system, options, media, missingExtents(options.manifest.root.sizeBytes / BLOCK_BYTES, bad));
}

async function repair(system: System, options: RootOptions, media: Media, places: Places): Promise<void> {
  const full = await fullHeader(system, options);
  allow(options, 'repair', fetchedBytes(missingBlobs(full, places, 0)));
  const again = { ...options, checkpoint: () => Promise.resolve() };
  await fillFrom(system, again, media, { full, places, phase: 'repair' });
}

async function fillFrom(
  system: System,
  options: RootOptions,
  media: Media,
  what: { readonly full: PayloadHeader; readonly places: Places; readonly phase: ApplyPhase },
): Promise<readonly Extent[]> {
  const { full, places, phase } = what;
  const payload = options.manifest.root.full.sha256;
  const from = phase === 'repair' ? 0 : resumed(options, payload, full);
  return applyOperations(system, {
    context: options,
    phase,
    name: payloadName(payload),
    tasks: blockTasks(full, places, from),
    blobs: missingBlobs(full, places, from),
    source: media.source?.data,
    target: media.data,
    targetBytes: full.targetBytes,
    done: (operations) => options.checkpoint({ payload, operations }),
  });
}

function fullHeader(system: System, options: RootOptions): Promise<PayloadHeader> {
  const { root } = options.manifest;
  return fetchHeader(system, options, root.full, { targetBytes: root.sizeBytes, sourceBytes: 0 });
}

function allMissing({ manifest }: RootOptions): Places {
  const { sizeBytes } = manifest.root;
  return missingExtents(sizeBytes / BLOCK_BYTES, [{ offset: 0, sizeBytes }]);
}

function resumed({ resume }: RootOptions, payload: string, { operations }: PayloadHeader): number {
  return resume?.payload === payload ? Math.min(resume.operations, operations.length) : 0;
}

function allow({ mayFetch }: RootOptions, kind: DownloadKind | 'repair', bytes: number): void {
  if (mayFetch?.(kind, bytes) === false)
    throw new SlipwayError('update.not-allowed', `it would take another ${bytes} bytes (${kind})`, {
      hint: 'slip update apply --yes-full, or wait for a link that is not metered',
    });
}
