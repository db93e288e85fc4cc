/**
 * A disk of sectors behind a page cache and a write cache. What was written and not flushed may land or not at a power cut, each sector by itself, and of a
 * sector that was written several times any of its versions: caches write back when they like. A sector itself is never torn.
 */
export const SECTOR_BYTES = 512;
const EMPTY = new Uint8Array(SECTOR_BYTES);

/** Sectors are never changed in place: images share them. */
export interface Medium {
  readonly durable: Map<number, Uint8Array>;
  /** Versions that were written since, oldest first. */
  readonly pending: Map<number, Uint8Array[]>;
  /** What a buffer holds without the places and lengths of files that the kernel keeps in inodes and has not put into it yet. */
  readonly withoutInodes: Map<number, Uint8Array>;
  /** What is pending is one write request: all or nothing of it lands. */
  together?: boolean;
}

export type Random = () => number;

export function emptyMedium(): Medium {
  return { durable: new Map(), pending: new Map(), withoutInodes: new Map() };
}

export function copyMedium(medium: Medium): Medium {
  return {
    durable: new Map(medium.durable),
    pending: new Map([...medium.pending].map(([sector, versions]) => [sector, [...versions]])),
    withoutInodes: new Map(medium.withoutInodes),
    together: medium.together ?? false,
  };
}

/** As programs see it. */
export function readSector(medium: Medium, sector: number): Uint8Array {
  return medium.pending.get(sector)?.at(-1) ?? medium.durable.get(sector) ?? EMPTY;
}

/** Overwrites a part of a sector. `inode`: a change that the kernel keeps in an inode until that is written back. */
export function patchSector(
  medium: Medium,
  sector: number,
  offset: number,
  bytes: Uint8Array,
  kind: 'buffer' | 'inode' = 'buffer',
): void {
  const now = readSector(medium, sector);
  const buffer = medium.withoutInodes.get(sector);
  if (kind === 'inode' && buffer === undefined) medium.withoutInodes.set(sector, now);
  if (kind === 'buffer' && buffer !== undefined) {
    const changed = patched(buffer, offset, bytes);
    medium.withoutInodes.set(sector, changed);
    push(medium, sector, changed);
  }
  push(medium, sector, patched(now, offset, bytes));
}

/** Writes buffers and empties the disk's write cache of them; what is only in inodes stays pending. */
export function flushSectors(medium: Medium, sectors: Iterable<number>): void {
  for (const sector of sectors) {
    const versions = medium.pending.get(sector);
    if (versions === undefined) continue;
    const buffer = medium.withoutInodes.get(sector);
    medium.durable.set(sector, buffer ?? versions.at(-1)!);
    if (buffer === undefined) medium.pending.delete(sector);
    else medium.pending.set(sector, [versions.at(-1)!]);
  }
}

/** A part of a sector goes from its inode to its buffer. */
export function writeInode(medium: Medium, sector: number, offset: number, length: number): void {
  const buffer = medium.withoutInodes.get(sector);
  if (buffer === undefined) return;
  const now = readSector(medium, sector);
  const written = patched(buffer, offset, now.subarray(offset, offset + length));
  if (Buffer.compare(written, now) === 0) medium.withoutInodes.delete(sector);
  else medium.withoutInodes.set(sector, written);
}

/** All inodes go to their buffers; nothing is flushed. */
export function writeAllInodes(medium: Medium): void {
  medium.withoutInodes.clear();
}

/** `choose` says which version of a sector lands: 0 for what was durable before, else counted from 1. */
export function landed(medium: Medium, choose: (sector: number, versions: number) => number): Medium {
  const durable = new Map(medium.durable);
  let shared: boolean | undefined;
  for (const [sector, versions] of medium.pending) {
    const own = choose(sector, versions.length);
    shared ??= own > 0;
    const choice = medium.together === true ? (shared ? versions.length : 0) : own;
    if (choice > 0) durable.set(sector, versions[choice - 1]!);
  }
  return { durable, pending: new Map(), withoutInodes: new Map() };
}

/** Mulberry32: the same numbers for the same seed. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function push(medium: Medium, sector: number, bytes: Uint8Array): void {
  const versions = medium.pending.get(sector);
  if (versions === undefined) medium.pending.set(sector, [bytes]);
  else versions.push(bytes);
}

function patched(sector: Uint8Array, offset: number, bytes: Uint8Array): Uint8Array {
  const changed = new Uint8Array(sector);
  changed.set(bytes, offset);
  return changed;
}
