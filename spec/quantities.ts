/** Sizes, durations and file modes as people write them. Each parser returns `undefined` for what it does not understand. */
import * as z from 'zod';

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

/** `0644`, `0o644`, `04755`: octal digits after the zero that says so. */
export function parseMode(text: string): number | undefined {
  return /^0o?[0-7]{3,4}$/.test(text) ? parseInt(text.replace(/^0o/, ''), 8) : undefined;
}

/** A size in bytes; a bare number counts bytes. */
export const sizeSchema = z
  .union([
    z.number().int().min(0),
    z.string().transform((text, context) => parsed(parseSize(text), context, sizeFault(text))),
  ])
  .meta({ title: 'size', examples: ['64MB', '1GiB'] });

/** A duration, in milliseconds. */
export const durationSchema = z
  .string({ error: () => 'expected a duration such as 30s or 1m30s' })
  .transform((text, context) => parsed(parseDuration(text), context, durationFault(text)))
  .meta({ title: 'duration', examples: ['30s', '1m30s'] });

/** A file mode. A bare 644 or 420 is refused: nobody can tell which of the two was meant. */
export const modeSchema = z
  .string({
    error: ({ input }) =>
      typeof input === 'number'
        ? `a file mode is octal, and the bare number ${input} does not say so: write it as a quoted '0${octalOf(input)}' or as 0o${octalOf(input)}`
        : "expected a file mode such as '0644' or 0o644",
  })
  .transform((text, context) =>
    parsed(
      parseMode(text),
      context,
      `'${text}' is no file mode: write octal digits, such as '0644' or 0o644`,
    ),
  )
  .meta({ title: 'file mode', type: ['string', 'integer'], examples: ['0644', '0755'] });

/** What somebody who wrote a bare number most likely meant, for the advice. */
function octalOf(input: number): string {
  return /^[0-7]{3,4}$/.test(String(input)) ? String(input) : '644';
}

/** The value, or an issue in its place. */
export function parsed<T>(
  value: T | undefined,
  context: { addIssue: (issue: { code: 'custom'; message: string; input: unknown }) => void },
  message: string,
): T {
  if (value !== undefined) return value;
  context.addIssue({ code: 'custom', message, input: undefined });
  return z.NEVER;
}

function sizeFault(text: string): string {
  return `'${text}' is no size: write digits and a unit, such as 64MB or 1GiB (units are powers of 1024)`;
}

function durationFault(text: string): string {
  return `'${text}' is no duration: write digits with units, such as 30s, 1m30s or 500ms`;
}
