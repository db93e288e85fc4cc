/** Reads what a kernel module says about itself: the `.modinfo` section of its ELF file, NUL-separated `key=value` strings. */
import { SlipwayError } from '../../spec/error.ts';

export interface ModuleInfo {
  /** Modules that must be loaded before it. */
  readonly depends: readonly string[];
  /** Modules that it would like to have before it (`softdep: pre`). */
  readonly wants: readonly string[];
  /** Patterns of the hardware and names that it serves. */
  readonly aliases: readonly string[];
}

/** Throws `kernel.module-damaged` where the bytes are no 64-bit little-endian ELF file with a `.modinfo` section. */
export function readModuleInfo(file: string, bytes: Uint8Array): ModuleInfo {
  const section = modinfoSection(bytes);
  if (section === undefined) {
    throw new SlipwayError('kernel.module-damaged', `${file} is not a kernel module`);
  }
  const pairs = section
    .toString('utf8')
    .split('\0')
    .map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)] as const);
  const all = (key: string): string[] => pairs.filter(([name]) => name === key).map(([, value]) => value);
  return {
    depends: all('depends').flatMap(words(',')).map(moduleName),
    wants: all('softdep').flatMap(softPre).map(moduleName),
    aliases: all('alias'),
  };
}

/** Modules are named with `_` wherever their files have `-`. */
export function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}

function words(separator: string): (text: string) => string[] {
  return (text) => text.split(separator).filter((word) => word !== '');
}

/** `pre: a b post: c` -> a, b */
function softPre(text: string): string[] {
  const pre = /(?:^|\s)pre:(.*?)(?:\spost:|$)/.exec(text)?.[1] ?? '';
  return words(' ')(pre);
}

function modinfoSection(bytes: Uint8Array): Buffer | undefined {
  const elf = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (elf.length < 64 || elf.readUInt32BE(0) !== 0x7f454c46 || elf[4] !== 2 || elf[5] !== 1) return undefined;
  const table = Number(elf.readBigUInt64LE(40));
  const entrySize = elf.readUInt16LE(58);
  const count = elf.readUInt16LE(60);
  const namesIndex = elf.readUInt16LE(62);
  const header = (index: number): { name: number; offset: number; size: number } => {
    const at = table + index * entrySize;
    return {
      name: elf.readUInt32LE(at),
      offset: Number(elf.readBigUInt64LE(at + 24)),
      size: Number(elf.readBigUInt64LE(at + 32)),
    };
  };
  const names = header(namesIndex).offset;
  for (let index = 0; index < count; index += 1) {
    const { name, offset, size } = header(index);
    const start = names + name;
    if (elf.toString('latin1', start, elf.indexOf(0, start)) === '.modinfo') {
      return elf.subarray(offset, offset + size);
    }
  }
  return undefined;
}
