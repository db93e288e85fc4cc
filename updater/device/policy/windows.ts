/** Weekly maintenance windows: whether one is open, and when the next one opens. Unix times in seconds. */
import type { UpdateWindow } from '../../../spec/update.ts';
import { fromWallClock, parseZone, wallDay, weekday, type Zone } from './zone.ts';

/** From `from` on, before `until`. */
export interface Opening {
  readonly from: number;
  readonly until: number;
}

/** The window that is open now, joined with those that follow without a break; `undefined` when none is. */
export function openWindow(windows: readonly UpdateWindow[], now: number): Opening | undefined {
  const all = openings(windows, now);
  let open = all.find(({ from, until }) => from <= now && until > now);
  for (const next of all)
    if (open !== undefined && next.from <= open.until && next.until > open.until)
      open = { from: open.from, until: next.until };
  return open;
}

/** The first window that opens after now; `undefined` when there are none. */
export function nextWindow(windows: readonly UpdateWindow[], now: number): Opening | undefined {
  return openings(windows, now).find(({ from }) => from > now);
}

/** Those of last week's end to next week's, the earliest first. */
function openings(windows: readonly UpdateWindow[], now: number): readonly Opening[] {
  const found: Opening[] = [];
  for (const window of windows) {
    const zone = parseZone(window.zoneRule);
    if (zone === undefined) continue;
    const today = wallDay(zone, now);
    // One that began two days ago may last until now: at most a day long, and a clock may jump.
    for (let day = today - 2; day <= today + 8; day++)
      if (window.days.includes(weekday(day))) found.push(openingOn(window, zone, day));
  }
  return found.sort((a, b) => a.from - b.from);
}

function openingOn(window: UpdateWindow, zone: Zone, day: number): Opening {
  const at = (minute: number): number =>
    fromWallClock(zone, day + Math.floor(minute / 1440), (minute % 1440) * 60);
  const from = at(window.fromMinute);
  const until = at(window.toMinute);
  // From 02:00 to 03:00 in the night in which the clock skips just that: it is as long as in any other night.
  return { from, until: until > from ? until : from + (window.toMinute - window.fromMinute) * 60 };
}
