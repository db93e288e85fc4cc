/** Maintenance windows, by wall clocks that jump twice a year. */
import { expect, test } from 'vitest';
import type { UpdateWindow } from '../../../../spec/update.ts';
import { formatWindows, parseWindows } from '../../../../updater/device/policy/window-text.ts';
import { nextWindow, openWindow } from '../../../../updater/device/policy/windows.ts';

function windows(text: string): readonly UpdateWindow[] {
  const parsed = parseWindows(text);
  if (parsed === undefined) throw new Error(text);
  return parsed;
}

const at = (text: string): number => Date.parse(text) / 1000;
const iso = (seconds: number | undefined): string | undefined =>
  seconds === undefined ? undefined : new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');

test.each([
  // 1 June 2026 is a Monday; Berlin is two hours ahead then.
  ['mon 02:00-05:00 Europe/Berlin', '2026-06-01T00:00:00Z', '2026-06-01T03:00:00Z'],
  ['mon 02:00-05:00 Europe/Berlin', '2026-06-01T02:59:59Z', '2026-06-01T03:00:00Z'],
  ['mon 02:00-05:00 Europe/Berlin', '2026-06-01T03:00:00Z', undefined],
  ['mon 02:00-05:00 Europe/Berlin', '2026-05-31T23:59:59Z', undefined],
  // Through midnight: it is Sunday's window that is open on Monday.
  ['sun 22:00-02:00', '2026-06-01T01:00:00Z', '2026-06-01T02:00:00Z'],
  ['mon 22:00-02:00', '2026-06-01T01:00:00Z', undefined],
  // Days are those of the zone, not of Greenwich.
  ['mon 00:00-24:00 Pacific/Kiritimati', '2026-05-31T10:00:00Z', '2026-06-01T10:00:00Z'],
  // One after the other without a break are one.
  ['mon 00:00-24:00; tue 00:00-03:00', '2026-06-01T23:00:00Z', '2026-06-02T03:00:00Z'],
  ['00:00-24:00', '2026-06-01T23:00:00Z', undefined],
  // The night in which Berlin's clock jumps: 02:00 to 03:00, and back.
  ['sun 01:00-04:00 Europe/Berlin', '2027-03-28T00:30:00Z', '2027-03-28T02:00:00Z'],
  ['sun 01:00-04:00 Europe/Berlin', '2027-10-31T02:30:00Z', '2027-10-31T03:00:00Z'],
  // Wholly within the hour that is skipped: an hour later by the clock, as long as ever.
  ['sun 02:15-02:45 Europe/Berlin', '2027-03-28T01:20:00Z', '2027-03-28T01:45:00Z'],
])('%s at %s is open until %s', (text, now, until) => {
  const open = openWindow(windows(text), at(now));
  if (text === '00:00-24:00') expect(open?.until).toBeGreaterThan(at(now) + 86400);
  else expect(iso(open?.until)).toBe(until);
});

test.each([
  ['mon 02:00-05:00 Europe/Berlin', '2026-06-01T00:00:00Z', '2026-06-08T00:00:00Z'],
  ['mon 02:00-05:00 Europe/Berlin', '2026-05-31T23:00:00Z', '2026-06-01T00:00:00Z'],
  ['sat,wed 03:00-04:00', '2026-06-01T12:00:00Z', '2026-06-03T03:00:00Z'],
  ['sun 02:00-03:00 America/New_York', '2027-03-14T00:00:00Z', '2027-03-14T07:00:00Z'],
])('%s after %s opens at %s', (text, now, from) => {
  expect(iso(nextWindow(windows(text), at(now))?.from)).toBe(from);
});

test('every window comes once a week, whatever the clock does', () => {
  for (const zone of [
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'Asia/Kolkata',
    'America/Nuuk',
  ]) {
    const list = windows(`sun 01:30-03:30 ${zone}`);
    const begins: number[] = [];
    for (let now = at('2027-01-01T00:00:00Z'); now < at('2028-01-01T00:00:00Z');) {
      const next = nextWindow(list, now);
      if (next === undefined) throw new Error('no window');
      begins.push((now = next.from));
      expect(next.until - next.from).toBeGreaterThanOrEqual(3600);
    }
    expect(begins.filter((begin) => begin < at('2028-01-01T00:00:00Z')).length).toBe(52);
  }
});

test('texts of windows', () => {
  expect(formatWindows(windows('MON-wed,sun 2:00-05:00 Europe/Berlin; 22:00-2:00'))).toBe(
    'sun,mon,tue,wed 02:00-05:00 Europe/Berlin; 22:00-02:00 UTC',
  );
  expect(windows('fri-mon 00:00-24:00')[0]).toMatchObject({ days: [0, 1, 5, 6], toMinute: 1440 });
  expect(windows('1:00-2:00 <+0530>-5:30')[0]?.zoneRule).toBe('<+0530>-5:30');
  for (const bad of [
    '',
    'mon',
    'mon 1:00',
    'mon 1:00-1:00',
    'mon 24:00-1:00',
    'mon 1:00-25:00',
    'monday 1:00-2:00',
    'mon-tue-wed 1:00-2:00',
    'mon 1:00-2:00 Mars/Base',
    'mon 1:00-2:00 UTC now',
    '1:00-2:00-3:00',
    '1:00-2:00;'.repeat(65),
  ])
    expect(parseWindows(bad), bad).toBeUndefined();
});
