/** Zone rules, judged by Node's Intl, which has the IANA data themselves. */
import { expect, test } from 'vitest';
import { zoneNames, zoneRule } from '../../../../spec/time-zones.ts';
import { fromWallClock, offsetAt, parseZone, type Zone } from '../../../../updater/device/policy/zone.ts';

/** Seconds east of Greenwich, as Intl knows. */
function intlOffset(format: Intl.DateTimeFormat, unixSeconds: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(unixSeconds * 1000)) part[type] = Number(value);
  const local = Date.UTC(
    part['year'] ?? 0,
    (part['month'] ?? 1) - 1,
    part['day'],
    part['hour'],
    part['minute'],
    part['second'],
  );
  return local / 1000 - unixSeconds;
}

function clockOf(timeZone: string): Intl.DateTimeFormat {
  return new Intl.DateTimeFormat('en-US-u-ca-gregory', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
}

function zone(name: string): Zone {
  const parsed = parseZone(zoneRule(name) ?? name);
  if (parsed === undefined) throw new Error(name);
  return parsed;
}

const YEAR_S = 365.2425 * 86400;
const from = Date.UTC(2027, 0, 1) / 1000;

/** Follow Ramadan. */
const MOVABLE = ['Africa/Casablanca', 'Africa/El_Aaiun', 'Asia/Gaza', 'Asia/Hebron'];

test.each([
  'Europe/Berlin',
  'Europe/Dublin',
  'Europe/Chisinau',
  'America/New_York',
  'America/St_Johns',
  'America/Santiago',
  'America/Nuuk',
  'America/Havana',
  'Australia/Lord_Howe',
  'Australia/Sydney',
  'Pacific/Chatham',
  'Pacific/Easter',
  'Asia/Jerusalem',
  'Africa/Cairo',
  'Asia/Beirut',
  'Antarctica/Troll',
  'Asia/Kolkata',
])('%s: every half day of two years, and the seconds around each change, for ten years', (name) => {
  const [clock, parsed] = [clockOf(name), zone(name)];
  for (let at = from; at < from + 2 * YEAR_S; at += 12 * 3600)
    expect(offsetAt(parsed, at), new Date(at * 1000).toISOString()).toBe(intlOffset(clock, at));
  // Where the offset changes, by our rule, it changes by Intl's data in the same second.
  for (let at = from; at < from + 10 * YEAR_S; at += 86400) {
    const [before, after] = [offsetAt(parsed, at), offsetAt(parsed, at + 86400)];
    if (before === after) continue;
    let [low, high] = [at, at + 86400];
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (offsetAt(parsed, middle) === before) low = middle;
      else high = middle;
    }
    expect([intlOffset(clock, low), intlOffset(clock, high)], new Date(high * 1000).toISOString()).toEqual([
      before,
      after,
    ]);
  }
});

test('every named zone, four times a year', () => {
  const known = new Set(Intl.supportedValuesOf('timeZone'));
  const wrong: string[] = [];
  for (const name of zoneNames().filter((each) => known.has(each) && !MOVABLE.includes(each))) {
    const [clock, parsed] = [clockOf(name), zone(name)];
    for (const month of [0, 3, 6, 9]) {
      const at = Date.UTC(2028, month, 15, 12) / 1000;
      if (offsetAt(parsed, at) !== intlOffset(clock, at)) wrong.push(`${name} in month ${month + 1}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('a wall clock that jumps: skipped times come later, repeated ones are the first', () => {
  const berlin = zone('Europe/Berlin');
  const day = (text: string): number => Date.parse(`${text}T00:00:00Z`) / 86_400_000;
  const instant = (date: string, hours: number): string =>
    new Date(fromWallClock(berlin, day(date), hours * 3600) * 1000).toISOString();
  expect(instant('2027-01-10', 2.5)).toBe('2027-01-10T01:30:00.000Z');
  expect(instant('2027-07-10', 2.5)).toBe('2027-07-10T00:30:00.000Z');
  // 28 March: 02:00 becomes 03:00.
  expect(instant('2027-03-28', 1.5)).toBe('2027-03-28T00:30:00.000Z');
  expect(instant('2027-03-28', 2.5)).toBe('2027-03-28T01:30:00.000Z');
  expect(instant('2027-03-28', 3.5)).toBe('2027-03-28T01:30:00.000Z');
  // 31 October: 03:00 becomes 02:00.
  expect(instant('2027-10-31', 2.5)).toBe('2027-10-31T00:30:00.000Z');
  expect(instant('2027-10-31', 3)).toBe('2027-10-31T02:00:00.000Z');
});

test('rules of every form', () => {
  expect(parseZone('EST5EDT4,J60/2,J300/2:30:15')?.summer).toEqual({
    offset: -4 * 3600,
    begins: { date: { kind: 'julian', day: 60 }, time: 7200 },
    ends: { date: { kind: 'julian', day: 300 }, time: 9015 },
  });
  // J60 is 1 March in every year, 59 is 29 February in a leap year.
  const julian = zone('A0B,J60/0,J61/0'.replace('A0B', 'AAA0BBB'));
  const ordinal = zone('AAA0BBB,59/0,60/0');
  const at = (text: string): number => Date.parse(`${text}T12:00:00Z`) / 1000;
  expect([offsetAt(julian, at('2027-03-01')), offsetAt(julian, at('2028-03-01'))]).toEqual([3600, 3600]);
  expect([offsetAt(ordinal, at('2027-03-01')), offsetAt(ordinal, at('2028-02-29'))]).toEqual([3600, 3600]);
  expect(offsetAt(ordinal, at('2028-03-01'))).toBe(0);
  for (const bad of [
    '',
    'Europe/Berlin',
    'UTC',
    'AAA26',
    'AAA0BBB',
    'AAA0BBB,M13.1.0,M1.1.0',
    'A'.repeat(200),
  ])
    expect(parseZone(bad), bad).toBeUndefined();
});
