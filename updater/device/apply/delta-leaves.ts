/**
 * The lowest level of the tree of a slot that a delta filled. The digest of a block that was copied stands in the running version's tree, which has the
 * same salt; the others are hashed, as they are read back. What a rotten tree gets wrong, the root hash tells.
 */
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { Operation } from '../../payload/operation.ts';
import type { Medium } from './medium.ts';
import { BATCH, DIGEST_BYTES, readBlocks, treeLevels, type BlockHasher, type Level } from './tree.ts';

export interface DeltaLeaves {
  readonly operations: readonly Operation[];
  /** The tree of the running version, and of how many blocks it is. */
  readonly source: { readonly tree: Medium; readonly dataBlocks: number };
  readonly target: { readonly data: Medium; readonly tree: Medium; readonly dataBlocks: number };
}

/** In blocks. */
interface Run {
  readonly start: number;
  readonly blocks: number;
}

const CHUNK_BYTES = 64 * 1024;

/** `TreeOptions.writeLeaves` for such a slot; `undefined` where the operations are not of whole blocks. */
export function deltaLeaves(
  delta: DeltaLeaves,
): ((hasher: BlockHasher, leaves: Level) => Promise<void>) | undefined {
  const { operations, source, target } = delta;
  const [sourceLeaves] = treeLevels(source.dataBlocks);
  if (sourceLeaves === undefined || !operations.every(ofWholeBlocks)) return undefined;
  return async (hasher, leaves) => {
    const changed: Run[] = [];
    for (const operation of operations) {
      const run = runOf(operation.target.offset, operation.target.sizeBytes);
      if (
        operation.kind !== 'copy' ||
        !copyDigests(
          { medium: source.tree, offset: offsetOf(sourceLeaves, operation.sourceOffset / BLOCK_BYTES) },
          { medium: target.tree, offset: offsetOf(leaves, run.start) },
          run.blocks * DIGEST_BYTES,
        )
      )
        changed.push(run);
    }
    await hashRuns(hasher, leaves, target, changed);
    const end = offsetOf(leaves, target.dataBlocks);
    const unused = (leaves.start + leaves.blocks) * BLOCK_BYTES - end;
    if (unused > 0) target.tree.write(end, new Uint8Array(unused));
  };
}

function ofWholeBlocks(operation: Operation): boolean {
  const { offset, sizeBytes } = operation.target;
  const from = operation.kind === 'copy' ? operation.sourceOffset : 0;
  return [offset, sizeBytes, from].every((value) => value % BLOCK_BYTES === 0);
}

function runOf(offset: number, sizeBytes: number): Run {
  return { start: offset / BLOCK_BYTES, blocks: sizeBytes / BLOCK_BYTES };
}

function offsetOf({ start }: Level, block: number): number {
  return start * BLOCK_BYTES + block * DIGEST_BYTES;
}

interface Place {
  readonly medium: Medium;
  readonly offset: number;
}

function copyDigests(from: Place, to: Place, sizeBytes: number): boolean {
  for (let done = 0; done < sizeBytes; done += CHUNK_BYTES) {
    const bytes = from.medium.read(from.offset + done, Math.min(CHUNK_BYTES, sizeBytes - done));
    if (bytes === undefined) return false;
    to.medium.write(to.offset + done, bytes);
  }
  return true;
}

/** While one batch is hashed, the next one is read. */
async function hashRuns(
  hasher: BlockHasher,
  leaves: Level,
  { data, tree }: DeltaLeaves['target'],
  runs: readonly Run[],
): Promise<void> {
  let pending: (() => Promise<void>) | undefined;
  for (const batch of batchesOf(runs)) {
    const blocks = new Uint8Array(batch.reduce((sum, run) => sum + run.blocks, 0) * BLOCK_BYTES);
    let filled = 0;
    for (const { start, blocks: count } of batch) {
      blocks.set(readBlocks({ medium: data, start }, 0, count), filled);
      filled += count * BLOCK_BYTES;
    }
    const digests = hasher.start(blocks);
    await pending?.();
    pending = async () => {
      const bytes = await digests();
      let used = 0;
      for (const { start, blocks: count } of batch) {
        tree.write(offsetOf(leaves, start), bytes.subarray(used, used + count * DIGEST_BYTES));
        used += count * DIGEST_BYTES;
      }
    };
  }
  await pending?.();
}

/** Of at most `BATCH` blocks each. */
function* batchesOf(runs: readonly Run[]): Generator<readonly Run[]> {
  let batch: Run[] = [];
  let room = BATCH;
  for (const { start, blocks } of runs)
    for (let done = 0; done < blocks;) {
      const count = Math.min(room, blocks - done);
      batch.push({ start: start + done, blocks: count });
      done += count;
      room -= count;
      if (room > 0) continue;
      yield batch;
      batch = [];
      room = BATCH;
    }
  if (batch.length > 0) yield batch;
}
