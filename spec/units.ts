/** Sizes and durations as people write them; without zod, for machines too. Each parser returns `undefined` for what it does not understand. */

const SIZE_UNITS: Readonly<Record<string, number>> = {
  b: 1,
  k: 1024,
  kb: 1024,
  kib: 1024,
  m: 1024 ** 2,
  mb: 1024 ** 2,
  mib: 1024 ** 2,
  g: 1024 ** 3,
  gb: 1024 ** 3,
  gib: 1024 ** 3,
  t: 1024 ** 4,
  tb: 1024 ** 4,
  tib: 1024 ** 4,
};

const DURATION_UNITS_US: Readonly<Record<string, number>> = {
  us: 1,
  ms: 1000,
  s: 1_000_000,
  m: 60_000_000,
  h: 3_600_000_000,
};

/** `64MB`, `64m`, `1GiB`, `512b`: as in Compose, all units are powers of 1024. */
export function parseSize(text: string): number | undefined {
  const [, digits, unit] = /^(\d{1,15}(?:\.\d{1,3})?) ?([a-z]{0,3})$/i.exec(text.trim()) ?? [];
  if (digits === undefined) return undefined;
  const factor = SIZE_UNITS[(unit === '' ? 'b' : unit)?.toLowerCase() ?? ''];
  const bytes = factor === undefined ? NaN : Math.round(Number(digits) * factor);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** `30s`, `1m30s`, `1.5s`, `500ms`, `0`: as in Compose; in milliseconds, rounded up. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  if (!/^(\d{1,9}(\.\d{1,6})?(us|ms|s|m|h))+$/.test(text)) return undefined;
  let microseconds = 0;
  for (const [, digits, unit] of text.matchAll(/(\d+(?:\.\d+)?)(us|ms|[smh])/g)) {
    microseconds += Number(digits) * (DURATION_UNITS_US[unit ?? ''] ?? NaN);
  }
  const milliseconds = Math.ceil(microseconds / 1000);
  return Number.isSafeInteger(milliseconds) ? milliseconds : undefined;
}
