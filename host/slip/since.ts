/** `--since`: an age or a time, as svlogd writes times (`2026-01-31_12:00:00.00000`, UTC). */

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `undefined`: it is neither. */
export function parseSince(text: string, nowMs: number): string | undefined {
  const age = /^(\d{1,9})([smhd])$/.exec(text);
  if (age !== null) return stamp(nowMs - Number(age[1]) * UNITS[age[2]!]!);
  if (!/^\d{4}-\d\d-\d\d([T_ ]\d\d:\d\d(:\d\d(\.\d+)?)?Z?)?$/.test(text)) return undefined;
  const [day = '', time = '00:00:00'] = text.replace('Z', '').split(/[T_ ]/);
  const full = time.length === 5 ? `${time}:00` : time;
  const ms = Date.parse(`${day}T${full}Z`);
  return Number.isNaN(ms) ? undefined : stamp(ms);
}

function stamp(ms: number): string {
  return `${new Date(ms).toISOString().replace('T', '_').replace('Z', '')}00`;
}
