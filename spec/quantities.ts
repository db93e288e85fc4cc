/** Sizes, durations and file modes in definitions. */
import * as z from 'zod';
import { parseDuration, parseSize } from './units.ts';

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
