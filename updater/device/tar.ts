/** The files of a tar archive, where they lie in it: a bundle is read where it is, and nothing of it unpacked. POSIX.1-2001 (pax), as tar-stream and others write. */
import { SlipwayError } from '../../spec/error.ts';
import type { System } from '../../system/system.ts';

export interface TarMember {
  readonly offset: number;
  readonly sizeBytes: number;
}

const BLOCK = 512;
const MAX_MEMBERS = 10_000;
const MAX_PAX_BYTES = 16_384;

/** By name, of an open file. Throws `update.bundle` for what is no archive, or a cut one. */
export function readTar(system: System, fd: number): ReadonlyMap<string, TarMember> {
  const members = new Map<string, TarMember>();
  const endBytes = system.descriptorStatus(fd)?.sizeBytes ?? 0;
  let offset = 0;
  let pax: Readonly<Record<string, string>> = {};
  for (;;) {
    const block = system.readAt(fd, offset, BLOCK);
    if (block === 'failed' || (block.length !== 0 && block.length < BLOCK)) throw broken();
    // Two blocks of zeros end it; some writers leave them out.
    if (block.length === 0 || block.every((byte) => byte === 0)) return members;
    if (!hasChecksum(block)) throw broken();
    const type = String.fromCharCode(block[156] ?? 0);
    const sizeBytes = Number(pax['size'] ?? parseInt(textAt(system, block, 124, 12), 8));
    const at = offset + BLOCK;
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || at + sizeBytes > endBytes) throw broken();
    if (type === 'x' && sizeBytes <= MAX_PAX_BYTES) {
      const records = system.readAt(fd, at, sizeBytes);
      pax = records === 'failed' ? {} : parsePax(system.decode(records));
    } else {
      const name = pax['path'] ?? textAt(system, block, 0, 100);
      if (type === '0' || type === '\0') members.set(name.replace(/^\.\//, ''), { offset: at, sizeBytes });
      pax = {};
    }
    if (members.size > MAX_MEMBERS) throw broken();
    offset = at + Math.ceil(sizeBytes / BLOCK) * BLOCK;
  }
}

/** `<length> <key>=<value>` lines. */
function parsePax(text: string): Readonly<Record<string, string>> {
  const found: Record<string, string> = {};
  for (let rest = text; rest !== '';) {
    const [, length, key] = /^(\d{1,6}) ([a-zA-Z0-9._]+)=/.exec(rest) ?? [];
    const size = Number(length);
    if (length === undefined || key === undefined || size > rest.length || size < 5) return found;
    found[key] = rest.slice(length.length + key.length + 2, size - 1);
    rest = rest.slice(size);
  }
  return found;
}

function hasChecksum(block: Uint8Array): boolean {
  let sum = 8 * 0x20;
  for (let index = 0; index < BLOCK; index++) if (index < 148 || index >= 156) sum += block[index] ?? 0;
  return parseInt(String.fromCharCode(...block.subarray(148, 154)), 8) === sum;
}

function textAt(system: System, block: Uint8Array, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return system.decode(end < 0 ? field : field.subarray(0, end));
}

function broken(): SlipwayError {
  return new SlipwayError('update.bundle', 'this is no bundle, or not all of it', {
    hint: 'copy it again; slipway release bundle makes one',
  });
}
