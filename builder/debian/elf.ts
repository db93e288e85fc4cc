/** What the dynamic loader needs to know of an ELF file (gABI 5; 64-bit little-endian, as amd64 and arm64 are). */
import type { ReadAt } from './tar-index.ts';

export interface ElfInfo {
  readonly needed: readonly string[];
  readonly soname?: string;
  readonly interpreter?: string;
}

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_STRSZ = 10n;
const DT_SONAME = 14n;

/** `undefined` for what is no 64-bit little-endian executable or shared object. `readAt` counts from the start of the file. */
export function readElf(readAt: ReadAt): ElfInfo | undefined {
  const header = readAt(0, 64);
  if (header.length < 64 || header.readUInt32BE(0) !== 0x7f454c46) return undefined;
  if (header[4] !== 2 || header[5] !== 1) return undefined;
  const type = header.readUInt16LE(16);
  if (type !== 2 && type !== 3) return undefined;

  const entrySize = header.readUInt16LE(54);
  const count = header.readUInt16LE(56);
  const table = readAt(Number(header.readBigUInt64LE(32)), entrySize * count);
  const segments = Array.from({ length: Math.floor(table.length / Math.max(entrySize, 56)) }, (_, i) => {
    const at = i * entrySize;
    return {
      type: table.readUInt32LE(at),
      offset: Number(table.readBigUInt64LE(at + 8)),
      address: table.readBigUInt64LE(at + 16),
      size: Number(table.readBigUInt64LE(at + 32)),
    };
  });

  const interpreter = segments.find((segment) => segment.type === PT_INTERP);
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  const tags = dynamic === undefined ? [] : dynamicTags(readAt(dynamic.offset, dynamic.size));
  const stringsAddress = tags.find(([tag]) => tag === DT_STRTAB)?.[1];
  const load = segments.find(
    (segment) =>
      segment.type === PT_LOAD &&
      stringsAddress !== undefined &&
      stringsAddress >= segment.address &&
      stringsAddress < segment.address + BigInt(segment.size),
  );
  const strings =
    load === undefined || stringsAddress === undefined
      ? Buffer.alloc(0)
      : readAt(
          load.offset + Number(stringsAddress - load.address),
          Number(tags.find(([tag]) => tag === DT_STRSZ)?.[1] ?? 0n),
        );
  const soname = tags.find(([tag]) => tag === DT_SONAME);
  return {
    needed: tags.filter(([tag]) => tag === DT_NEEDED).map(([, value]) => stringAt(strings, Number(value))),
    ...(soname === undefined ? {} : { soname: stringAt(strings, Number(soname[1])) }),
    ...(interpreter === undefined
      ? {}
      : { interpreter: stringAt(readAt(interpreter.offset, interpreter.size), 0) }),
  };
}

function dynamicTags(bytes: Buffer): readonly (readonly [bigint, bigint])[] {
  const tags: (readonly [bigint, bigint])[] = [];
  for (let at = 0; at + 16 <= bytes.length; at += 16) {
    const tag = bytes.readBigUInt64LE(at);
    if (tag === 0n) break;
    tags.push([tag, bytes.readBigUInt64LE(at + 8)]);
  }
  return tags;
}

function stringAt(bytes: Buffer, start: number): string {
  const end = bytes.indexOf(0, start);
  return bytes.toString('utf8', start, end < 0 ? bytes.length : end);
}
