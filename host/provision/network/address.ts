/** IPv4 and IPv6 addresses as text, to their canonical form and back; pure. */

export interface IpAddress {
  readonly family: 4 | 6;
  /** 4 or 16. */
  readonly bytes: readonly number[];
  /** Canonical: RFC 5952 for IPv6. */
  readonly text: string;
}

/** `undefined` for anything that inet_pton(3) would not take. */
export function parseAddress(text: string): IpAddress | undefined {
  const bytes = text.includes(':') ? parse6(text) : parse4(text);
  if (bytes === undefined) return undefined;
  return bytes.length === 4
    ? { family: 4, bytes, text: bytes.join('.') }
    : { family: 6, bytes, text: format6(bytes) };
}

/** ADDRESS/PREFIX; the prefix is `undefined` where none is written. */
export function parseNetwork(text: string): { address: IpAddress; prefix: number | undefined } | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, prefix: undefined };
  const rest = text.slice(slash + 1);
  const prefix = parsePrefix(rest, address.family);
  return prefix === undefined ? undefined : { address, prefix };
}

/** A number of bits, or for IPv4 a mask (`255.255.255.0`). */
export function parsePrefix(text: string, family: 4 | 6): number | undefined {
  const most = family === 4 ? 32 : 128;
  if (/^\d{1,3}$/.test(text)) {
    const prefix = Number(text);
    return prefix <= most ? prefix : undefined;
  }
  const mask = family === 4 ? parse4(text) : text.includes(':') ? parse6(text) : undefined;
  if (mask === undefined) return undefined;
  const bits = mask.map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return /^1*0*$/.test(bits) ? bits.replace(/0+$/, '').length : undefined;
}

/** The network that an address is in, as ADDRESS/PREFIX. */
export function networkOf(address: IpAddress, prefix: number): string {
  const bytes = address.bytes.map((byte, index) => {
    const kept = Math.max(0, Math.min(8, prefix - index * 8));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  return `${address.family === 4 ? bytes.join('.') : format6(bytes)}/${prefix}`;
}

export function isLinkLocal(address: IpAddress): boolean {
  const [first = 0, second = 0] = address.bytes;
  return address.family === 6 ? first === 0xfe && (second & 0xc0) === 0x80 : first === 169 && second === 254;
}

/** Six pairs of hexadecimal digits, in lower case. */
export function parseMac(text: string): string | undefined {
  const normal = text.toLowerCase().replaceAll('-', ':');
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(normal) ? normal : undefined;
}

function parse4(text: string): readonly number[] | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part))) return undefined;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : undefined;
}

function parse6(text: string): readonly number[] | undefined {
  if (text.length > 45) return undefined;
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const groups = halves.map((half) => (half === '' ? [] : half.split(':')));
  const head = groupBytes(groups[0] ?? [], halves.length === 1);
  const tail = halves.length === 1 ? [] : groupBytes(groups[1] ?? [], true);
  if (head === undefined || tail === undefined) return undefined;
  const missing = 16 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined;
  return [...head, ...new Array<number>(missing).fill(0), ...tail];
}

/** The last group may be an IPv4 address. */
function groupBytes(groups: readonly string[], isEnd: boolean): number[] | undefined {
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const last = isEnd && index === groups.length - 1 ? parse4(group) : undefined;
    if (last === undefined) return undefined;
    bytes.push(...last);
  }
  return bytes;
}

function format6(bytes: readonly number[]): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2)
    groups.push(((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > best.length) best = { start, length: end - start };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(':');
  return `${hex.slice(0, best.start).join(':')}::${hex.slice(best.start + best.length).join(':')}`;
}
