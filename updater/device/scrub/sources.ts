/** Where a rotten block comes from: the other slot, where it holds one of the same digest; or the frames of the full payload that hold it. */
import { SlipwayError } from '../../../spec/error.ts';
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { System } from '../../../system/system.ts';
import { hexOf } from '../../payload/bytes.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import { payloadName } from '../../release/names.ts';
import { fetchedBytes } from '../apply/blob-source.ts';
import { blockTasks, missingBlobs, missingExtents } from '../apply/blocks.ts';
import type { ApplyContext } from '../apply/facts.ts';
import { fetchHeader, readExactly } from '../apply/header.ts';
import type { Medium } from '../apply/medium.ts';
import { applyOperations } from '../apply/operations.ts';
import { withScratch } from '../apply/scratch.ts';
import { DIGEST_BYTES, treeLevels } from '../apply/tree.ts';
import type { BlockSource } from './slot.ts';

const CHUNK_BYTES = 64 * 1024;

export interface OtherSlot {
  readonly data: Medium;
  readonly tree: Medium;
  /** As its superblock says; where that lies, nothing fits. */
  readonly dataBlocks: number;
}

/** Versions of one image have one salt, so equal blocks have equal digests; the tree is only a hint, since the caller hashes what it gets. */
export function fromOtherSlot({ data, tree, dataBlocks }: OtherSlot): BlockSource {
  return (wanted) => {
    const found = new Map<number, Uint8Array>();
    const byDigest = new Map([...wanted].map(([block, digest]) => [digest, block]));
    // A word tells most of them apart, at a hundredth of the cost of a text.
    const words = new Set([...byDigest.keys()].map((digest) => parseInt(digest.slice(0, 8), 16)));
    const [leaves] = treeLevels(dataBlocks);
    for (let offset = 0; leaves !== undefined && offset < dataBlocks * DIGEST_BYTES; offset += CHUNK_BYTES) {
      const count = Math.min(CHUNK_BYTES, dataBlocks * DIGEST_BYTES - offset);
      const bytes = tree.read(leaves.start * BLOCK_BYTES + offset, count);
      if (bytes === undefined) continue;
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      for (let at = 0; at < count; at += DIGEST_BYTES) {
        if (!words.has(view.getUint32(at))) continue;
        const digest = hexOf(bytes.subarray(at, at + DIGEST_BYTES));
        const candidate = byDigest.has(digest)
          ? data.read(((offset + at) / DIGEST_BYTES) * BLOCK_BYTES, BLOCK_BYTES)
          : undefined;
        if (candidate === undefined) continue;
        for (const [block, other] of wanted) if (other === digest) found.set(block, candidate);
      }
    }
    return Promise.resolve(found);
  };
}

export interface Published {
  readonly manifest: ReleaseManifest;
  readonly context: ApplyContext;
}

/** `published` is asked once something is missing: a network may not be there, then it answers `undefined`. */
export function fromPayload(system: System, published: () => Promise<Published | undefined>): BlockSource {
  return async (wanted) => {
    const found = new Map<number, Uint8Array>();
    const release = await published();
    if (release === undefined) return found;
    const { manifest, context } = release;
    const { root } = manifest;
    await withScratch(system, context.scratch, async () => {
      const full = await fetchHeader(system, context, root.full, {
        targetBytes: root.sizeBytes,
        sourceBytes: 0,
      });
      const places = missingExtents(
        root.sizeBytes / BLOCK_BYTES,
        [...wanted.keys()].map((block) => ({ offset: block * BLOCK_BYTES, sizeBytes: BLOCK_BYTES })),
      );
      const blobs = missingBlobs(full, places, 0);
      const bytes = fetchedBytes(blobs);
      if (context.mayFetch?.('repair', bytes) === false)
        throw new SlipwayError('update.not-allowed', `the repair would take ${bytes} bytes`);
      await applyOperations(system, {
        context,
        phase: 'repair',
        name: payloadName(root.full.sha256),
        tasks: blockTasks(full, places, 0),
        blobs,
        source: undefined,
        target: collector(wanted, found),
        targetBytes: full.targetBytes,
        done: () => Promise.resolve(),
      });
    });
    return found;
  };
}

/** Blocks of the tree's lowest level, from the release's list of digests, of which each fills 4 KiB. */
export function fromBlockList(published: () => Promise<Published | undefined>): BlockSource {
  return async (wanted) => {
    const found = new Map<number, Uint8Array>();
    const release = await published();
    if (release === undefined) return found;
    const { fetcher } = release.context;
    const { sha256, sizeBytes } = release.manifest.root.blockList;
    for (const block of wanted.keys()) {
      const offset = block * BLOCK_BYTES;
      const end = Math.min(offset + BLOCK_BYTES, sizeBytes);
      if (offset >= end) continue;
      const bytes = new Uint8Array(BLOCK_BYTES);
      bytes.set(await readExactly(fetcher.stream(payloadName(sha256), offset, end), end - offset));
      found.set(block, bytes);
    }
    return found;
  };
}

/** Keeps the wanted blocks of what is written to it. Frames are whole blocks. */
function collector(wanted: ReadonlyMap<number, string>, found: Map<number, Uint8Array>): Medium {
  return {
    path: 'memory',
    direct: false,
    read: () => undefined,
    write: (offset, bytes) => {
      for (let at = 0; at < bytes.length; at += BLOCK_BYTES) {
        const block = (offset + at) / BLOCK_BYTES;
        if (wanted.has(block)) found.set(block, bytes.slice(at, at + BLOCK_BYTES));
      }
    },
    sync: () => Promise.resolve(),
    flush: () => Promise.resolve(),
    close: () => undefined,
  };
}
