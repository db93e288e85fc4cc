/**
 * /etc/localtime from a rule in POSIX form, since machines have no time zone data: a file of version 2 (RFC 9636) whose footer says it all.
 * One transition long ago stands before it: the C library of GNU heeds the footer only behind the last transition.
 */
import { encodeBase64 } from '../../../spec/base64.ts';

const LONG_AGO = -0x8000_0000;
const HEADER_BYTES = 44;

/** The file, in base64; `undefined` when it is no such rule. */
export function timeZoneFile(rule: string): string | undefined {
  const [, quoted, plain, west] =
    /^(?:<([A-Za-z0-9+-]{3,})>|([A-Za-z]{3,}))([+-]?\d{1,3}(?::\d{1,2}){0,2})/.exec(rule) ?? [];
  const name = quoted ?? plain;
  if (name === undefined || west === undefined || !/^[\x21-\x7e]{4,120}$/.test(rule)) return undefined;
  const chars = [...name, '\0'].map((character) => character.charCodeAt(0));
  const offset = 0 - seconds(west);
  const footer = [...`\n${rule}\n`].map((character) => character.charCodeAt(0));
  return encodeBase64(Uint8Array.from([...block(chars, offset, 4), ...block(chars, offset, 8), ...footer]));
}

/** Header and data, with times of so many bytes: one transition, to the one local time type that there is. */
function block(chars: readonly number[], offset: number, timeBytes: 4 | 8): number[] {
  const bytes = new Uint8Array(HEADER_BYTES + timeBytes + 1 + 6 + chars.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x54, 0x5a, 0x69, 0x66, 0x32]);
  // isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt
  [0, 0, 0, 1, 1, chars.length].forEach((count, index) => view.setUint32(20 + 4 * index, count));
  view.setInt32(HEADER_BYTES, timeBytes === 8 ? -1 : LONG_AGO);
  if (timeBytes === 8) view.setInt32(HEADER_BYTES + 4, LONG_AGO);
  const types = HEADER_BYTES + timeBytes + 1;
  view.setInt32(types, offset);
  bytes.set(chars, types + 6);
  return [...bytes];
}

/** `-1`, `5:30`: west of Greenwich. */
function seconds(text: string): number {
  const [hours = 0, minutes = 0, rest = 0] = text.replace(/^[+-]/, '').split(':').map(Number);
  const total = hours * 3600 + minutes * 60 + rest;
  return text.startsWith('-') ? -total : total;
}
