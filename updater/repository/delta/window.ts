/** Against which bytes of the old image a piece of the new one is diffed: a machine must hold them in memory, so they are few. */
import { LIMITS } from '../../payload/limits.ts';
import type { Extent } from '../../payload/operation.ts';
import type { Piece } from './plan.ts';
import { PLACE_BYTES, type Resemblance } from './resemblance.ts';

const KIB = 1024;
/** Beside a place that resembles. */
const PLACE_MARGIN_BYTES = 32 * KIB;
/** Beyond a neighbour. */
const NEIGHBOUR_MARGIN_BYTES = 256 * KIB;
/** Extents nearer to each other than this become one. */
const GAP_BYTES = 32 * KIB;
/** With fewer votes than this share of what a whole likeness has, there is none; nor is a place one that has few of its own. */
const LEAST_SHARE = 0.01;
const LEAST_PLACE_SHARE = 0.02;

/** Sorted, apart from each other, whole blocks. Empty: the piece resembles nothing. */
export function chooseWindow(
  piece: Piece,
  { places, most }: ReturnType<Resemblance['votes']>,
  old: { readonly sizeBytes: number; readonly blockBytes: number },
): readonly Extent[] {
  const pieceBytes = piece.blocks * old.blockBytes;
  const limit = Math.min(LIMITS.windowBytes, 2 * pieceBytes + 2 * NEIGHBOUR_MARGIN_BYTES);
  const sorted = [...places].sort(([a, votesA], [b, votesB]) => votesB - votesA || a - b);
  const leastOfPlace = LEAST_PLACE_SHARE * Math.min(most, (most * PLACE_BYTES) / pieceBytes);
  const total = sorted.reduce((sum, [, votes]) => sum + votes, 0);
  const wishes = [
    ...neighbourhood(piece, pieceBytes, old.blockBytes),
    ...(total < most * LEAST_SHARE
      ? []
      : sorted.filter(([, votes]) => votes > leastOfPlace).map(([place]) => placeExtent(place))),
  ];
  if (total < most * LEAST_SHARE && pieceBytes > NEIGHBOUR_MARGIN_BYTES) return [];
  let chosen: readonly Extent[] = [];
  for (const wish of wishes) {
    const more = unite([...chosen, align(wish, old)]);
    if (more.length <= LIMITS.extents && sizeOf(more) <= limit) chosen = more;
  }
  return chosen.filter(({ sizeBytes }) => sizeBytes > 0);
}

/** From the bytes that follow the left neighbour in the old image to those before the right one, and somewhat beyond. */
function neighbourhood({ after, before }: Piece, pieceBytes: number, blockBytes: number): readonly Extent[] {
  const left = after === undefined ? undefined : after * blockBytes;
  const right = before === undefined ? undefined : before * blockBytes;
  const margin = Math.min(NEIGHBOUR_MARGIN_BYTES, Math.max(64 * KIB, pieceBytes));
  if (left !== undefined && right !== undefined && left <= right && right - left <= 2 * pieceBytes + margin)
    return [{ offset: left - margin, sizeBytes: right - left + 2 * margin }];
  return [
    ...(left === undefined
      ? []
      : [{ offset: left - margin, sizeBytes: Math.min(pieceBytes, NEIGHBOUR_MARGIN_BYTES) + 2 * margin }]),
    ...(right === undefined
      ? []
      : [
          {
            offset: right - margin - Math.min(pieceBytes, NEIGHBOUR_MARGIN_BYTES),
            sizeBytes: Math.min(pieceBytes, NEIGHBOUR_MARGIN_BYTES) + 2 * margin,
          },
        ]),
  ];
}

function placeExtent(place: number): Extent {
  return {
    offset: place * PLACE_BYTES - PLACE_MARGIN_BYTES,
    sizeBytes: PLACE_BYTES + 2 * PLACE_MARGIN_BYTES,
  };
}

function align(
  { offset, sizeBytes }: Extent,
  old: { readonly sizeBytes: number; readonly blockBytes: number },
): Extent {
  const start = Math.max(0, Math.floor(offset / old.blockBytes) * old.blockBytes);
  const end = Math.min(old.sizeBytes, Math.ceil((offset + sizeBytes) / old.blockBytes) * old.blockBytes);
  return { offset: Math.min(start, end), sizeBytes: Math.max(0, end - start) };
}

function unite(extents: readonly Extent[]): readonly Extent[] {
  const result: Extent[] = [];
  for (const extent of [...extents].sort((a, b) => a.offset - b.offset)) {
    if (extent.sizeBytes === 0) continue;
    const last = result.at(-1);
    if (last !== undefined && extent.offset - (last.offset + last.sizeBytes) <= GAP_BYTES) {
      const end = Math.max(last.offset + last.sizeBytes, extent.offset + extent.sizeBytes);
      result[result.length - 1] = { offset: last.offset, sizeBytes: end - last.offset };
    } else result.push(extent);
  }
  return result;
}

function sizeOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
