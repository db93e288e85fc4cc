/** Curves as people write them: `now`, `24h`, or a file with points. */
import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { SlipwayError } from '../../../spec/error.ts';
import { curve as readCurve, evenCurve, EVERYBODY, type Curve } from '../../release/curve.ts';

const UNIT_S: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
const HINT =
  '`now`; a time in which it spreads evenly, like 24h or 7d; or a file with points, like [[0, 1%], [6h, 10%], [3d, 100%]]';

/** `24h`, `1d12h`, `90`: in seconds. `undefined` for what is none. */
export function parseSeconds(text: string): number | undefined {
  if (/^\d{1,10}$/.test(text)) return Number(text);
  if (!/^(\d{1,6}(\.\d{1,3})?[smhdw])+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+(?:\.\d+)?)([smhdw])/g))
    seconds += Number(digits) * (UNIT_S[unit ?? ''] ?? NaN);
  return Math.round(seconds);
}

/** What `--curve` takes. `from`: how many of a million have it already, where an even curve goes on. Throws `usage.curve`. */
export async function curveOf(text: string, from = 0): Promise<Curve> {
  if (text === 'now') return evenCurve(0);
  const seconds = parseSeconds(text);
  if (seconds !== undefined) return evenCurve(seconds, from);
  const content = await readFile(text, 'utf8').catch((cause: unknown) => {
    throw new SlipwayError('usage.curve', `${text} is neither a time nor a file`, { cause, hint: HINT });
  });
  try {
    const points: unknown = parse(content);
    const plain = Array.isArray(points) ? points.map(pointOf) : points;
    return readCurve(plain, { path: 'the curve', unknownKeys: 'refuse' });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SlipwayError('usage.curve', `${text}: ${why}`, { cause, hint: HINT });
  }
}

/** Times as text, percentages: to numbers. Whatever else stands there, the reader judges. */
function pointOf(point: unknown): unknown {
  if (!Array.isArray(point)) return point;
  const [after, share] = point as readonly unknown[];
  const [, percent] = typeof share === 'string' ? (/^(\d+(?:\.\d+)?) ?%$/.exec(share) ?? []) : [];
  return [
    typeof after === 'string' ? (parseSeconds(after) ?? after) : after,
    percent === undefined ? share : Math.round((Number(percent) * EVERYBODY) / 100),
    ...(point as readonly unknown[]).slice(2),
  ];
}
