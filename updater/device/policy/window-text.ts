/** Windows as a line of text: `mon-fri 02:00-05:00 Europe/Berlin; sun 22:00-24:00`. */
import { zoneRule } from '../../../spec/time-zones.ts';
import { parseTimeOfDay, WEEKDAYS, type UpdateWindow } from '../../../spec/update.ts';
import { parseZone } from './zone.ts';

const MAX_WINDOWS = 64;

/** Days are optional (every day), so is the zone (UTC), which may also be a rule in POSIX form. `undefined` when some part is not understood. */
export function parseWindows(text: string): readonly UpdateWindow[] | undefined {
  const parts = text
    .split(';')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (parts.length === 0 || parts.length > MAX_WINDOWS) return undefined;
  const windows = parts.map(parseWindow);
  return windows.every((window) => window !== undefined) ? windows : undefined;
}

export function formatWindows(windows: readonly UpdateWindow[]): string {
  return windows.map(formatWindow).join('; ');
}

function parseWindow(text: string): UpdateWindow | undefined {
  const words = text.split(/\s+/);
  const days = /^[a-z]/i.test(words[0] ?? '')
    ? parseDays((words.shift() ?? '').toLowerCase())
    : [0, 1, 2, 3, 4, 5, 6];
  const [from, to, more] = (words.shift() ?? '').split('-').map(parseTimeOfDay);
  const timeZone = words.shift() ?? 'UTC';
  const rule = zoneRule(timeZone) ?? timeZone;
  if (words.length > 0 || more !== undefined || days === undefined) return undefined;
  if (from === undefined || to === undefined || from === to || from === 1440) return undefined;
  if (parseZone(rule) === undefined) return undefined;
  return { days, fromMinute: from, toMinute: to > from ? to : to + 1440, timeZone, zoneRule: rule };
}

/** `mon`, `sat,sun`, `mon-fri`, `fri-mon`. */
function parseDays(text: string): readonly number[] | undefined {
  const found = new Set<number>();
  for (const part of text.split(',')) {
    const [first, last = first] = part.split('-').map((word) => WEEKDAYS.findIndex((day) => day === word));
    if (first === undefined || first < 0 || last === undefined || last < 0 || part.split('-').length > 2)
      return undefined;
    for (let day = first; ; day = (day + 1) % 7) {
      found.add(day);
      if (day === last) break;
    }
  }
  return [...found].sort((a, b) => a - b);
}

function formatWindow({ days, fromMinute, toMinute, timeZone }: UpdateWindow): string {
  const names = days.length === 7 ? '' : `${days.map((day) => WEEKDAYS[day]).join(',')} `;
  const until = toMinute > 1440 ? toMinute - 1440 : toMinute;
  return `${names}${formatTime(fromMinute)}-${formatTime(until)} ${timeZone}`;
}

function formatTime(minute: number): string {
  return `${Math.floor(minute / 60)}`.padStart(2, '0') + ':' + `${minute % 60}`.padStart(2, '0');
}
