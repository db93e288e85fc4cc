/** Curves: how large a part of the machines may have a release by when. Piecewise linear; monotone by construction and by check. */
import { checked, integer, list, type Reader } from './reader.ts';

/**
 * Points: seconds since the curve's start, and how many of a million machines may have the release by then (signed documents hold whole numbers
 * alone). Seconds rise, the others never fall, the last is a million. Before the first point it is nobody, after the last everybody.
 */
export type Curve = readonly (readonly [afterSeconds: number, perMillion: number])[];

/** All machines. */
export const EVERYBODY = 1_000_000;

/** Everybody at once. */
export const INSTANT: Curve = [[0, EVERYBODY]];

/** The fraction of machines, 0 to 1, that may have it so many seconds after the start. */
export function fractionAt(curve: Curve, seconds: number): number {
  const next = curve.findIndex(([after]) => after > seconds);
  if (next === 0) return 0;
  if (next < 0) return curve.length === 0 ? 0 : 1;
  const [fromSeconds, from] = pointAt(curve, next - 1);
  const [toSeconds, to] = pointAt(curve, next);
  return (from + ((to - from) * (seconds - fromSeconds)) / (toSeconds - fromSeconds)) / EVERYBODY;
}

/** When a machine at position `u` (0 <= u < 1) is due, in seconds after the start: from when on the fraction is above `u`. */
export function timeAt(curve: Curve, u: number): number {
  const place = u * EVERYBODY;
  const next = curve.findIndex(([, perMillion]) => perMillion > place);
  if (next < 0) return Infinity;
  const [toSeconds, to] = pointAt(curve, next);
  if (next === 0) return toSeconds;
  const [fromSeconds, from] = pointAt(curve, next - 1);
  return fromSeconds + ((toSeconds - fromSeconds) * (place - from)) / (to - from);
}

/** From so many of a million on evenly to all, in so many seconds. */
export function evenCurve(seconds: number, from = 0): Curve {
  return seconds <= 0
    ? INSTANT
    : [
        [0, from],
        [seconds, EVERYBODY],
      ];
}

const TEN_YEARS_S = 10 * 366 * 86400;
const MAX_POINTS = 256;

const point: Reader<readonly [number, number]> = (value, place) => {
  const [after, perMillion] = list(integer(0, TEN_YEARS_S), { min: 2, max: 2 })(value, place);
  return [after ?? 0, integer(0, EVERYBODY)(perMillion, { ...place, path: `${place.path}[1]` })];
};

/** Reads a curve from a document. */
export const curve: Reader<Curve> = checked(list(point, { min: 1, max: MAX_POINTS }), (points) => {
  for (let index = 1; index < points.length; index++) {
    const [[before, low], [after, high]] = [pointAt(points, index - 1), pointAt(points, index)];
    if (after <= before) return `does not rise: ${after} s comes after ${before} s`;
    if (high < low) return `falls, from ${low} to ${high}`;
  }
  return points.at(-1)?.[1] === EVERYBODY ? undefined : `does not end at ${EVERYBODY}`;
});

function pointAt(points: Curve, index: number): readonly [number, number] {
  const found = points[index];
  if (found === undefined) throw new RangeError('a curve has no such point');
  return found;
}
