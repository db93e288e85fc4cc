/**
 * Where in the old image a piece of the new one has its likeness, also when it moved. Short strings of the old bytes that no match uses are indexed;
 * each one that turns up in the piece is a vote for its place.
 */
import { pieces, type ImageFile } from './image-file.ts';
import type { PlannedOperation } from './plan.ts';

const SEED_BYTES = 16;
/** So that the index stays at 64 MB, whatever the images' size: strings farther apart instead. */
const MOST_SEEDS = 2 * 1024 * 1024;
/** Votes are counted by places of this size. */
export const PLACE_BYTES = 32 * 1024;

export interface Resemblance {
  /** Votes by place, a place being `PLACE_BYTES` of the old image; and how many a piece that is wholly there would have. */
  readonly votes: (bytes: Uint8Array) => {
    readonly places: ReadonlyMap<number, number>;
    readonly most: number;
  };
}

export async function indexResemblance(
  old: ImageFile,
  plan: readonly PlannedOperation[],
  blockBytes: number,
): Promise<Resemblance> {
  const isUsed = usedBlocks(old, plan, blockBytes);
  const unusedBytes = isUsed.reduce((sum, used) => sum + (used === 0 ? blockBytes : 0), 0);
  const step = Math.max(
    SEED_BYTES,
    SEED_BYTES * 2 ** Math.ceil(Math.log2(unusedBytes / SEED_BYTES / MOST_SEEDS)),
  );
  const table = seedTable(unusedBytes / step);
  for await (const { offset, bytes } of pieces(old, PIECE_BYTES)) {
    for (let at = 0; at + SEED_BYTES <= bytes.length; at += step) {
      if (isUsed[Math.floor((offset + at) / blockBytes)] === 0)
        table.add(hashAt(bytes, at), (offset + at) / SEED_BYTES);
    }
  }
  return {
    votes: (bytes) => {
      const places = new Map<number, number>();
      // Padding and tables repeat one string a thousand times: it has one vote.
      table.newRound();
      let hash = hashAt(bytes, 0);
      for (let at = SEED_BYTES; at <= bytes.length; at += 1) {
        const seed = table.findOnce(hash);
        if (seed >= 0) {
          const place = Math.floor((seed * SEED_BYTES) / PLACE_BYTES);
          places.set(place, (places.get(place) ?? 0) + 1);
        }
        hash = (Math.imul(hash - Math.imul(bytes[at - SEED_BYTES]!, OLDEST), BASE) + (bytes[at] ?? 0)) | 0;
      }
      return { places, most: bytes.length / step };
    },
  };
}

const PIECE_BYTES = 4 * 1024 * 1024;
const BASE = 0x01000193;
/** BASE to the power of SEED_BYTES - 1: the weight of the byte that leaves the window. */
const OLDEST = Array.from({ length: SEED_BYTES - 1 }).reduce<number>((power) => Math.imul(power, BASE), 1);

function usedBlocks(old: ImageFile, plan: readonly PlannedOperation[], blockBytes: number): Uint8Array {
  const used = new Uint8Array(Math.ceil(old.sizeBytes / blockBytes));
  for (const each of plan) if (each.kind === 'copy') used.fill(1, each.source, each.source + each.blocks);
  return used;
}

function hashAt(bytes: Uint8Array, at: number): number {
  let hash = 0;
  for (let index = at; index < at + SEED_BYTES; index += 1)
    hash = (Math.imul(hash, BASE) + (bytes[index] ?? 0)) | 0;
  return hash;
}

interface SeedTable {
  readonly add: (hash: number, seed: number) => void;
  readonly newRound: () => void;
  /** Negative for a string that stands nowhere, in several places, or was found before in this round. */
  readonly findOnce: (hash: number) => number;
}

/** Hash -> where the string stands, counted in SEED_BYTES. A string that stands in several places is none's likeness. */
function seedTable(count: number): SeedTable {
  const size = 2 ** Math.ceil(Math.log2(Math.max(count, 1) * 2 + 1));
  const hashes = new Int32Array(size);
  const seeds = new Int32Array(size).fill(EMPTY);
  const rounds = new Int32Array(size);
  let round = 0;
  const slot = (hash: number): number => {
    let at = (Math.imul(hash, 0x9e3779b1) >>> 7) & (size - 1);
    while (seeds[at] !== EMPTY && hashes[at] !== hash) at = (at + 1) & (size - 1);
    return at;
  };
  return {
    add: (hash, seed) => {
      const at = slot(hash);
      seeds[at] = seeds[at] === EMPTY ? seed : AMBIGUOUS;
      hashes[at] = hash;
    },
    newRound: () => (round += 1),
    findOnce: (hash) => {
      const at = slot(hash);
      if (seeds[at] === EMPTY || rounds[at] === round) return EMPTY;
      rounds[at] = round;
      return seeds[at]!;
    },
  };
}

const EMPTY = -1;
const AMBIGUOUS = -2;
