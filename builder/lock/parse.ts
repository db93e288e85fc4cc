/** The text of a lock file -> its value, with every fault at its place. */
import { LineCounter, isNode, parseDocument } from 'yaml';
import type { z } from 'zod';
import { DiagnosticsError, type Diagnostic } from '../../spec/diagnostic.ts';

const HINT =
  'lock files are written by `slipway lock`: run it anew, or restore the file from version control';

/** Parses JSON strictly; `schema` judges it. Throws DiagnosticsError. `file` is what the diagnostics name. */
export function parseLocated<T>(file: string, text: string, schema: z.ZodType<T>): T {
  const value = readJson(file, text);
  refuseForeignFormat(file, text, value);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const place = locator(text);
  throw new DiagnosticsError(
    result.error.issues
      .slice(0, MAX_FAULTS)
      .map((issue) => diagnostic(file, text, place(issue.path), 'lock.invalid', messageOf(issue))),
  );
}

const MAX_FAULTS = 20;

function readJson(file: string, text: string): unknown {
  const conflict = /^(<{7}|={7}|>{7})/m.exec(text);
  if (conflict !== null) {
    const message = 'this is a merge conflict';
    throw new DiagnosticsError([diagnostic(file, text, conflict.index, 'lock.conflict', message)]);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    const message =
      error instanceof Error ? error.message.replace(/ in JSON at position.*$| \(line.*$/s, '') : '';
    throw new DiagnosticsError([
      diagnostic(file, text, faultOffset(text, error), 'lock.syntax', `this is not JSON: ${message}`),
    ]);
  }
}

/** The engine mostly tells the offset in its message; a truncated file ends too early, for the rest the YAML parser is asked. */
function faultOffset(text: string, error: unknown): number {
  const message = error instanceof Error ? error.message : '';
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  if (message.includes('end of JSON')) return text.trimEnd().length;
  return parseDocument(text, { logLevel: 'silent' }).errors[0]?.pos[0] ?? 0;
}

/** Decision 22: an unknown major version is refused, an unknown minor one ignored. */
function refuseForeignFormat(file: string, text: string, value: unknown): void {
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (typeof format !== 'string' || /^1\.\d+$/.test(format)) return;
  const at = locator(text)(['format']);
  const message = `format ${format} is not known to this version of Slipway, which reads 1.x`;
  throw new DiagnosticsError([
    diagnostic(
      file,
      text,
      at,
      'lock.format',
      message,
      'use the version of Slipway that wrote it, or write it anew: slipway lock',
    ),
  ]);
}

/** Offset of the value at a path, or of what encloses it. */
function locator(text: string): (path: readonly PropertyKey[]) => number {
  const document = parseDocument(text, { logLevel: 'silent' });
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const node = document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return node.range[0];
    }
    return 0;
  };
}

function messageOf(issue: z.core.$ZodIssue): string {
  const where = issue.path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
    .join('');
  return where === '' ? issue.message : `${where.replace(/^\./, '')}: ${issue.message}`;
}

function diagnostic(
  file: string,
  text: string,
  offset: number,
  code: string,
  message: string,
  hint = HINT,
): Diagnostic {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const { line, col } = lines.linePos(Math.min(offset, text.length));
  return {
    severity: 'error',
    code,
    message,
    file,
    line,
    column: col,
    sourceLine: text.split('\n')[line - 1] ?? '',
    hint,
  };
}
