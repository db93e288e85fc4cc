/**
 * Time zones on a machine that has no zone data and no `Intl`: the offset of a zone at an instant, from its rule in POSIX form
 * (https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap08.html, TZ; hours to 167 as in RFC 9636, 3.3.2). All in seconds.
 */

export interface Zone {
  /** East of Greenwich. */
  readonly standard: number;
  readonly summer?: {
    readonly offset: number;
    readonly begins: YearlyInstant;
    readonly ends: YearlyInstant;
  };
}

type YearlyDay =
  /** The n-th weekday of a month; 5 is the last one. */
  | { readonly kind: 'weekday'; readonly month: number; readonly week: number; readonly day: number }
  /** 1 to 365, without 29 February. */
  | { readonly kind: 'julian'; readonly day: number }
  /** 0 to 365. */
  | { readonly kind: 'ordinal'; readonly day: number };

/** By the wall clock that holds just before. */
interface YearlyInstant {
  readonly date: YearlyDay;
  readonly time: number;
}

const DAY_S = 86400;
const NAME = '(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)';
const TIME = '[+-]?\\d{1,3}(?::\\d{1,2}(?::\\d{1,2})?)?';
const DATE = '(?:M\\d{1,2}\\.\\d\\.\\d|J\\d{1,3}|\\d{1,3})';
const RULE = new RegExp(
  `^${NAME}(${TIME})(?:${NAME}(${TIME})?,(${DATE})(?:/(${TIME}))?,(${DATE})(?:/(${TIME}))?)?$`,
);

/** `undefined` when it is no such rule. */
export function parseZone(rule: string): Zone | undefined {
  const [, west, summerWest, begins, beginTime, ends, endTime] = RULE.exec(rule) ?? [];
  if (west === undefined || rule.length > 128) return undefined;
  const standard = 0 - parseTime(west);
  if (Math.abs(standard) > 25 * 3600) return undefined;
  if (begins === undefined || ends === undefined) return { standard };
  const from = parseDate(begins);
  const until = parseDate(ends);
  if (from === undefined || until === undefined) return undefined;
  return {
    standard,
    summer: {
      offset: summerWest === undefined ? standard + 3600 : 0 - parseTime(summerWest),
      begins: { date: from, time: parseTime(beginTime ?? '2') },
      ends: { date: until, time: parseTime(endTime ?? '2') },
    },
  };
}

/** Seconds east of Greenwich at a Unix time in seconds. */
export function offsetAt(zone: Zone, unixSeconds: number): number {
  const { standard, summer } = zone;
  if (summer === undefined) return standard;
  const year = new Date((unixSeconds + standard) * 1000).getUTCFullYear();
  // The newest change before this instant decides; it may lie in the year before.
  let [latest, offset] = [-Infinity, standard];
  for (const at of [year - 1, year, year + 1]) {
    const begins = instantIn(at, summer.begins) - standard;
    const ends = instantIn(at, summer.ends) - summer.offset;
    if (begins <= unixSeconds && begins > latest) [latest, offset] = [begins, summer.offset];
    if (ends <= unixSeconds && ends > latest) [latest, offset] = [ends, standard];
  }
  return offset;
}

/**
 * The Unix time at which a wall clock shows a date (as days since 1970) and seconds of the day. A time that is skipped is taken as much later
 * as the clock jumps; of one that comes twice, the first (as Temporal's `compatible`).
 */
export function fromWallClock(zone: Zone, day: number, secondOfDay: number): number {
  const local = day * DAY_S + secondOfDay;
  const before = offsetAt(zone, local - zone.standard - DAY_S);
  const after = offsetAt(zone, local - zone.standard + DAY_S);
  if (offsetAt(zone, local - before) === before) return local - before;
  return offsetAt(zone, local - after) === after ? local - after : local - before;
}

/** Days since 1970 that a calendar on the wall shows. */
export function wallDay(zone: Zone, unixSeconds: number): number {
  return Math.floor((unixSeconds + offsetAt(zone, unixSeconds)) / DAY_S);
}

/** 0 is Sunday. */
export function weekday(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

/** As if the zone were Greenwich. */
function instantIn(year: number, { date, time }: YearlyInstant): number {
  return dayIn(year, date) * DAY_S + time;
}

function dayIn(year: number, date: YearlyDay): number {
  if (date.kind === 'ordinal') return firstDay(year, 0) + date.day;
  if (date.kind === 'julian')
    return firstDay(year, 0) + date.day - 1 + Number(isLeap(year) && date.day >= 60);
  const first = firstDay(year, date.month - 1);
  const next = firstDay(year, date.month);
  const day = first + ((date.day - weekday(first) + 7) % 7) + (date.week - 1) * 7;
  return day < next ? day : day - 7;
}

function firstDay(year: number, month: number): number {
  return Date.UTC(year, month, 1) / (DAY_S * 1000);
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function parseDate(text: string): YearlyDay | undefined {
  if (text.startsWith('M')) {
    const [month = 0, week = 0, day = 0] = text.slice(1).split('.').map(Number);
    const valid = month >= 1 && month <= 12 && week >= 1 && week <= 5 && day <= 6;
    return valid ? { kind: 'weekday', month, week, day } : undefined;
  }
  if (text.startsWith('J')) {
    const day = Number(text.slice(1));
    return day >= 1 && day <= 365 ? { kind: 'julian', day } : undefined;
  }
  return Number(text) <= 365 ? { kind: 'ordinal', day: Number(text) } : undefined;
}

function parseTime(text: string): number {
  const [hours = 0, minutes = 0, seconds = 0] = text.replace(/^[+-]/, '').split(':').map(Number);
  const total = hours * 3600 + minutes * 60 + seconds;
  return text.startsWith('-') ? -total : total;
}
