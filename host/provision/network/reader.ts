/** Typed values out of a located tree; each fault is noted where it stands, and reading goes on. */
import type { Diagnostic } from '../../../spec/diagnostic.ts';
import { faultAt, type Located, type LocatedMap, type Position } from '../../../spec/located.ts';
import { own } from '../../../spec/own.ts';
import { nearest } from '../../../spec/suggest.ts';
import { parseAddress, parseMac, type IpAddress } from './address.ts';
import { INTERFACE_NAME, type NameServers } from './config.ts';

export interface Reader {
  readonly diagnostics: Diagnostic[];
  /** Errors so far: a part of the document during which it grew is faulty. */
  errors: number;
}

/** Reads one value; what it stands for is written down by the closure itself. */
export type KeyReader = (value: Located, keyAt: Position) => void;

/** More faults than this in one document help nobody. */
const MAX_DIAGNOSTICS = 100;

export function fault(
  reader: Reader,
  at: Position,
  code: string,
  message: string,
  hint?: string,
  severity: Diagnostic['severity'] = 'error',
): void {
  if (severity === 'error') reader.errors += 1;
  if (reader.diagnostics.length < MAX_DIAGNOSTICS)
    reader.diagnostics.push(faultAt(at, `network.${code}`, message, hint, severity));
}

/** Notes that a key has no effect, and why. */
export function ignored(reader: Reader, at: Position, key: string, reason: string): void {
  fault(reader, at, 'ignored', `'${key}' has no effect: ${reason}`, undefined, 'warning');
}

/**
 * Reads a mapping by a table of its keys. A key with a text instead of a reader is documented, has no effect here, and is reported with
 * that reason; one that is not in the table is an error.
 */
export function readKeys(
  reader: Reader,
  node: Located,
  what: string,
  keys: Readonly<Record<string, KeyReader | string>>,
): void {
  const map = mapOf(reader, node, what);
  if (map === undefined) return;
  for (const [key, { keyAt, value }] of map.entries) {
    const known = own(keys, key);
    if (known === undefined) {
      const near = nearest(key, Object.keys(keys));
      const hint =
        near === undefined ? `known here: ${Object.keys(keys).join(', ')}` : `did you mean '${near}'?`;
      fault(reader, keyAt, 'unknown-key', `${what} has no key '${key}'`, hint);
    } else if (typeof known === 'string') ignored(reader, keyAt, key, known);
    else known(value, keyAt);
  }
}

export function mapOf(reader: Reader, node: Located, what: string): LocatedMap | undefined {
  if (node.kind === 'map') return node;
  fault(reader, node.at, 'type', `${what} is a mapping`);
  return undefined;
}

export function listOf(reader: Reader, node: Located, what: string): readonly Located[] {
  if (node.kind === 'list') return node.items;
  fault(reader, node.at, 'type', `${what} is a list`);
  return [];
}

export function textOf(reader: Reader, node: Located, what: string): string | undefined {
  if (node.kind === 'scalar' && typeof node.value === 'string' && node.value !== '') return node.value;
  const quoted =
    node.kind === 'scalar' && typeof node.value === 'number' ? `write '${node.text}'` : undefined;
  fault(reader, node.at, 'type', `${what} is a text`, quoted);
  return undefined;
}

export function flagOf(reader: Reader, node: Located, what: string): boolean | undefined {
  const word = node.kind === 'scalar' ? node.text.toLowerCase() : '';
  if (['true', 'yes', 'on'].includes(word)) return true;
  if (['false', 'no', 'off'].includes(word)) return false;
  fault(reader, node.at, 'type', `${what} is true or false`);
  return undefined;
}

/** A whole number; also one in quotes, which is what several clouds write. */
export function integerOf(
  reader: Reader,
  node: Located,
  what: string,
  least: number,
  most: number,
): number | undefined {
  const text = node.kind === 'scalar' && !node.octal ? node.text : '';
  const value = /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  if (value !== undefined && value >= least && value <= most) return value;
  fault(reader, node.at, 'range', `${what} is a whole number from ${least} to ${most}`);
  return undefined;
}

export function wordOf<T extends string>(
  reader: Reader,
  node: Located,
  what: string,
  words: readonly T[],
): T | undefined {
  const text = node.kind === 'scalar' ? node.text : '';
  const found = words.find((word) => word === text);
  if (found === undefined) {
    const near = nearest(text, words);
    const hint = near === undefined ? undefined : `did you mean '${near}'?`;
    fault(reader, node.at, 'value', `${what} is one of ${words.join(', ')}`, hint);
  }
  return found;
}

export function addressOf(
  reader: Reader,
  node: Located,
  what: string,
  family?: 4 | 6,
): IpAddress | undefined {
  const address = node.kind === 'scalar' ? parseAddress(node.text) : undefined;
  if (address !== undefined && (family === undefined || address.family === family)) return address;
  fault(reader, node.at, 'address', `${what} is an IP${family === undefined ? '' : `v${family}`} address`);
  return undefined;
}

export function macOf(reader: Reader, node: Located, what: string): string | undefined {
  const mac = node.kind === 'scalar' ? parseMac(node.text) : undefined;
  if (mac === undefined)
    fault(
      reader,
      node.at,
      'mac',
      `${what} is a MAC address, such as '52:54:00:12:34:56'`,
      'write it in quotes',
    );
  return mac;
}

/** The name of an interface, as the kernel takes it. */
export function nameOf(reader: Reader, node: Located, what: string): string | undefined {
  const text = textOf(reader, node, what);
  if (text === undefined || INTERFACE_NAME.test(text)) return text;
  fault(reader, node.at, 'name', `${what} is the name of an interface`, NAME_HINT);
  return undefined;
}

export const NAME_HINT = 'at most 15 letters, digits, dots, dashes and underscores';

/** Addresses and search domains; both may be missing. */
export function serversOf(reader: Reader, node: Located, what: string): readonly string[] {
  return listOf(reader, node, what).flatMap((item) => addressOf(reader, item, 'a name server')?.text ?? []);
}

export function domainsOf(reader: Reader, node: Located, what: string): readonly string[] {
  return listOf(reader, node, what).flatMap((item) => {
    const text = textOf(reader, item, 'a search domain');
    if (text === undefined) return [];
    // It becomes a line of resolv.conf.
    if (/^[A-Za-z0-9_.-]{1,253}$/.test(text)) return [text];
    fault(reader, item.at, 'domain', 'a search domain is letters, digits, dots and dashes');
    return [];
  });
}

export const NO_NAME_SERVERS: NameServers = { servers: [], search: [] };
