/**
 * A rotten block of the verity tree, made anew from what is below it. Where a block below it is rotten too, nothing tells which (its digest stood in the
 * one that is to be made): so each of them may be as it was found, or as it comes of what is below itself, one level further down after the other. The
 * digest of the whole, which is trusted, tells what is right.
 */
import { BLOCK_BYTES } from '../../../spec/layout.ts';
import { hexOf } from '../../payload/bytes.ts';
import { BATCH, type BlockHasher } from '../apply/tree.ts';
import { blockOf, childrenOf, digestsOf, hashEach, isEqual, type Row } from './rows.ts';

interface Work {
  readonly hasher: BlockHasher;
  readonly pace: (bytes: number) => Promise<void>;
}

/** `rows`: from the top of the tree to the data. `undefined` where nothing that is there leads to the wanted digest (hexadecimal). */
export async function remakeBlock(
  work: Work,
  rows: readonly Row[],
  index: number,
  block: number,
  wanted: string,
): Promise<Uint8Array | undefined> {
  const { first, count } = childrenOf(block, rows[index + 1]!);
  const guesses: Uint8Array[][] = Array.from({ length: count }, () => []);
  for (let depth = 0; index + 1 + depth < rows.length; depth += 1) {
    const digests = await digestsFrom(work, rows, index + 1, first, count, depth);
    digests.forEach((digest, child) => {
      const known = guesses[child]!;
      if (digest !== undefined && !known.some((other) => isEqual(digest, other))) known.push(digest);
    });
    const made = combinations(guesses).map(blockOf);
    const found = await hashEach(work.hasher, made);
    const right = found.findIndex((digest) => digest !== undefined && hexOf(digest) === wanted);
    if (right >= 0) return made[right];
  }
  return undefined;
}

/** Digests of blocks that are made of what lies `depth` levels below them; 0: of what was found there. */
async function digestsFrom(
  work: Work,
  rows: readonly Row[],
  index: number,
  first: number,
  count: number,
  depth: number,
): Promise<readonly (Uint8Array | undefined)[]> {
  await work.pace(depth === 0 ? count * BLOCK_BYTES : 0);
  if (depth === 0) return digestsOf(work.hasher, rows[index]!, first, count);
  const made: Uint8Array[] = [];
  for (let block = first; block < first + count; block += 1) {
    const children = childrenOf(block, rows[index + 1]!);
    made.push(blockOf(await digestsFrom(work, rows, index + 1, children.first, children.count, depth - 1)));
  }
  return hashEach(work.hasher, made);
}

/** One guess for each child, those first that differ least from what was found: as many as one program hashes. */
function combinations(guesses: readonly (readonly Uint8Array[])[]): readonly (Uint8Array | undefined)[][] {
  const found = guesses.map(([guess]) => guess);
  const others = guesses.flatMap((each, child) => each.slice(1).map((guess) => ({ child, guess })));
  const all: (Uint8Array | undefined)[][] = [];
  for (let changes = 0; changes <= others.length; changes += 1)
    for (const chosen of choose(others, changes, 0)) {
      if (all.length === BATCH) return all;
      all.push(chosen.reduce((one, { child, guess }) => one.with(child, guess), found));
    }
  return all;
}

interface Guess {
  readonly child: number;
  readonly guess: Uint8Array;
}

/** So many of them, each of another child. */
function* choose(others: readonly Guess[], count: number, from: number): Generator<readonly Guess[]> {
  if (count === 0) {
    yield [];
    return;
  }
  for (let index = from; index <= others.length - count; index += 1) {
    const one = others[index]!;
    for (const rest of choose(others, count - 1, index + 1))
      if (rest.every(({ child }) => child !== one.child)) yield [one, ...rest];
  }
}
