/** A new root from blocks that are here already, wherever they lie, and the frames of the full payload that hold the others. */
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import type { Blob, Extent, PayloadHeader } from '../../payload/operation.ts';
import type { Leaves } from './leaves.ts';
import { blobsOf, type Task } from './operations.ts';

/** For each block of the new root: where the running root has it, or one of these. */
export type Places = Int32Array;
const MISSING = -1;
/** The slot that is filled has it there. */
const IN_PLACE = -2;

export function findBlocks(wanted: Leaves, source: Leaves | undefined, target: Leaves | undefined): Places {
  const places = new Int32Array(wanted.count).fill(MISSING);
  const find = source === undefined ? () => MISSING : indexLeaves(source);
  for (let block = 0; block < wanted.count; block += 1) {
    const [high = 0, low = 0] = [wanted.words[2 * block], wanted.words[2 * block + 1]];
    const inPlace = target !== undefined && sameLeaf(target, block, high, low);
    // Where the running root has it at the same place too, nothing is copied either.
    places[block] = inPlace ? IN_PLACE : find(high, low);
  }
  return places;
}

/** Only these are to be fetched. */
export function missingOnly(wanted: Leaves, target: Leaves): Places {
  return findBlocks(wanted, undefined, target);
}

/** All of these extents are to be fetched, and nothing else is touched. */
export function missingExtents(dataBlocks: number, extents: readonly Extent[]): Places {
  const places = new Int32Array(dataBlocks).fill(IN_PLACE);
  for (const { offset, sizeBytes } of extents)
    places.fill(MISSING, offset / BLOCK_BYTES, Math.ceil((offset + sizeBytes) / BLOCK_BYTES));
  return places;
}

/** What is to be done, frame by frame of the full payload: one with a missing block is fetched, else its blocks are copied. */
export function* blockTasks(full: PayloadHeader, places: Places, first: number): Generator<Task> {
  for (let index = first; index < full.operations.length; index += 1) {
    const operation = full.operations[index];
    if (operation === undefined) continue;
    if (isMissing(places, operation.target)) yield { operation, next: index + 1 };
    else
      for (const task of copies(places, operation.target)) {
        // The frame is complete with its last copy only.
        const { target } = task;
        const last =
          target.offset + target.sizeBytes === operation.target.offset + operation.target.sizeBytes;
        yield { operation: task, next: last ? index + 1 : index };
      }
  }
}

export function missingBlobs(full: PayloadHeader, places: Places, first: number): readonly Blob[] {
  return full.operations
    .slice(first)
    .filter(({ target }) => isMissing(places, target))
    .flatMap(blobsOf);
}

function isMissing(places: Places, extent: Extent): boolean {
  for (
    let block = extent.offset / BLOCK_BYTES;
    block * BLOCK_BYTES < extent.offset + extent.sizeBytes;
    block += 1
  )
    if (places[block] === MISSING) return true;
  return false;
}

interface Copy {
  readonly kind: 'copy';
  readonly target: Extent;
  readonly sourceOffset: number;
}

/** Runs of blocks that follow one another at both places. */
function* copies(places: Places, extent: Extent): Generator<Copy> {
  const end = (extent.offset + extent.sizeBytes) / BLOCK_BYTES;
  for (let start = extent.offset / BLOCK_BYTES; start < end;) {
    const from = places[start] ?? MISSING;
    let next = start + 1;
    while (next < end && from >= 0 && places[next] === from + next - start) next += 1;
    if (from >= 0)
      yield {
        kind: 'copy',
        target: { offset: start * BLOCK_BYTES, sizeBytes: (next - start) * BLOCK_BYTES },
        sourceOffset: from * BLOCK_BYTES,
      };
    start = next;
  }
}

function sameLeaf({ count, words }: Leaves, block: number, high: number, low: number): boolean {
  return block < count && words[2 * block] === high && words[2 * block + 1] === low;
}

/** Open addressing in one array: a Map of a large root's digests would want more memory than the updater may use. */
function indexLeaves(leaves: Leaves): (high: number, low: number) => number {
  let size = 1;
  while (size < 2 * leaves.count) size *= 2;
  // Block numbers plus one; 0 is free.
  const slots = new Int32Array(size);
  const lookUp = (high: number, low: number): { readonly slot: number; readonly block: number } => {
    for (let slot = high & (size - 1); ; slot = (slot + 1) & (size - 1)) {
      const block = (slots[slot] ?? 0) - 1;
      if (block < 0 || sameLeaf(leaves, block, high, low)) return { slot, block };
    }
  };
  for (let block = 0; block < leaves.count; block += 1) {
    const found = lookUp(leaves.words[2 * block] ?? 0, leaves.words[2 * block + 1] ?? 0);
    if (found.block < 0) slots[found.slot] = block + 1;
  }
  return (high, low) => {
    const { block } = lookUp(high, low);
    return block < 0 ? MISSING : block;
  };
}
