/**
 * What changed between two pieces of an image, as Colin Percival's bsdiff finds it ("Naive differences of executable code", 2003): a match may have
 * single bytes that differ (moved addresses in code), so that what remains is mostly zeros.
 */
import type { PatchStep } from '../../payload/patch.ts';
import { suffixArray } from './suffix-array.ts';

/** A match must save this many bytes against going on with the last one: bsdiff's own number. */
const WORTH_BYTES = 8;
/** Zeros among the differences from which on they are a copy of their own: the machine copies at once, but adds byte by byte. */
const COPY_BYTES = 24;

/** The steps that make `next` of `old`. */
export function diff(old: Uint8Array, next: Uint8Array): PatchStep[] {
  const steps: PatchStep[] = [];
  const order = suffixArray(old);
  let [scan, length, position] = [0, 0, 0];
  let [lastScan, lastPosition, lastOffset] = [0, 0, 0];
  while (scan < next.length) {
    let oldScore = 0;
    scan += length;
    for (let compared = scan; scan < next.length; scan += 1) {
      [position, length] = longestMatch(order, old, next, scan);
      for (; compared < scan + length; compared += 1)
        if (compared + lastOffset < old.length && old[compared + lastOffset] === next[compared])
          oldScore += 1;
      if ((length === oldScore && length !== 0) || length > oldScore + WORTH_BYTES) break;
      if (scan + lastOffset < old.length && old[scan + lastOffset] === next[scan]) oldScore -= 1;
    }
    if (length === oldScore && scan !== next.length) continue;
    const forward = extendForward(old, next, lastPosition, lastScan, scan);
    const backward = scan < next.length ? extendBackward(old, next, position, scan, lastScan) : 0;
    const [keepForward, keepBackward] = shareOverlap(old, next, {
      lastScan,
      lastPosition,
      scan,
      position,
      forward,
      backward,
    });
    const seek = scan < next.length ? position - keepBackward - (lastPosition + keepForward) : 0;
    pushSteps(
      steps,
      old.subarray(lastPosition, lastPosition + keepForward),
      next.subarray(lastScan, lastScan + keepForward),
      {
        inserted: next.subarray(lastScan + keepForward, scan - keepBackward),
        seek,
      },
    );
    lastScan = scan - keepBackward;
    lastPosition = position - keepBackward;
    lastOffset = position - scan;
  }
  return steps;
}

/** Position and length of the longest match of `next` from `scan` on. */
function longestMatch(
  order: Int32Array,
  old: Uint8Array,
  next: Uint8Array,
  scan: number,
): [position: number, length: number] {
  let [low, high] = [0, order.length - 1];
  if (high < 0) return [0, 0];
  // What both borders share with `next`, everything between them shares, too: it needs no comparing.
  let [lowLength, highLength] = [
    matchLength(old, order[low]!, next, scan, 0),
    matchLength(old, order[high]!, next, scan, 0),
  ];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    const suffix = order[middle]!;
    const length = matchLength(old, suffix, next, scan, Math.min(lowLength, highLength));
    const isAfter =
      scan + length < next.length &&
      (suffix + length >= old.length || old[suffix + length]! < next[scan + length]!);
    if (isAfter) [low, lowLength] = [middle, length];
    else [high, highLength] = [middle, length];
  }
  return lowLength > highLength ? [order[low]!, lowLength] : [order[high]!, highLength];
}

function matchLength(
  old: Uint8Array,
  position: number,
  next: Uint8Array,
  scan: number,
  known: number,
): number {
  const limit = Math.min(old.length - position, next.length - scan);
  let length = Math.min(known, limit);
  while (length < limit && old[position + length] === next[scan + length]) length += 1;
  return length;
}

/** How far the last match goes on, bytes that differ being outweighed by those that do not. */
function extendForward(
  old: Uint8Array,
  next: Uint8Array,
  position: number,
  scan: number,
  end: number,
): number {
  let [same, best, length] = [0, 0, 0];
  for (let step = 0; scan + step < end && position + step < old.length;) {
    if (old[position + step] === next[scan + step]) same += 1;
    step += 1;
    if (same * 2 - step > best * 2 - length) [best, length] = [same, step];
  }
  return length;
}

function extendBackward(
  old: Uint8Array,
  next: Uint8Array,
  position: number,
  scan: number,
  start: number,
): number {
  let [same, best, length] = [0, 0, 0];
  for (let step = 1; scan >= start + step && position >= step; step += 1) {
    if (old[position - step] === next[scan - step]) same += 1;
    if (same * 2 - step > best * 2 - length) [best, length] = [same, step];
  }
  return length;
}

/** Where the last match, extended, and the next one, extended, overlap, each gets what it fits better. */
function shareOverlap(
  old: Uint8Array,
  next: Uint8Array,
  at: {
    lastScan: number;
    lastPosition: number;
    scan: number;
    position: number;
    forward: number;
    backward: number;
  },
): [forward: number, backward: number] {
  const overlap = at.lastScan + at.forward - (at.scan - at.backward);
  if (overlap <= 0) return [at.forward, at.backward];
  let [score, best, share] = [0, 0, 0];
  for (let index = 0; index < overlap; index += 1) {
    const byte = next[at.lastScan + at.forward - overlap + index];
    if (byte === old[at.lastPosition + at.forward - overlap + index]) score += 1;
    if (byte === old[at.position - at.backward + index]) score -= 1;
    if (score > best) [best, share] = [score, index + 1];
  }
  return [at.forward + share - overlap, at.backward - share];
}

/** One match: what is the same for long enough becomes a copy. */
function pushSteps(
  steps: PatchStep[],
  old: Uint8Array,
  next: Uint8Array,
  last: { readonly inserted: Uint8Array; readonly seek: number },
): void {
  let start = 0;
  let [copied, from] = [0, 0];
  const push = (end: number, rest: { readonly inserted: Uint8Array; readonly seek: number }): void => {
    steps.push({
      copyBytes: copied,
      differences: subtract(next.subarray(from, end), old.subarray(from, end)),
      ...rest,
    });
  };
  for (let index = 0; index <= next.length; index += 1) {
    if (index < next.length && old[index] === next[index]) continue;
    // `start` to `index` is the same.
    if (index - start >= COPY_BYTES) {
      if (start > from || copied > 0) push(start, { inserted: NOTHING, seek: 0 });
      [copied, from] = [index - start, index];
    }
    start = index + 1;
  }
  push(next.length, last);
}

const NOTHING = new Uint8Array();

function subtract(next: Uint8Array, old: Uint8Array): Uint8Array {
  const differences = new Uint8Array(next.length);
  for (let index = 0; index < next.length; index += 1) differences[index] = next[index]! - old[index]!;
  return differences;
}
