/** A disk image as the pieces of it that hold something: 3 GB of holes are neither read nor written. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';

/** Cluster of qcow2, grain of VMDK, and what is written or left out at once. */
export const CHUNK_BYTES = 64 * 1024;

export interface Chunk {
  /** A multiple of CHUNK_BYTES. */
  readonly offset: number;
  /** CHUNK_BYTES, not all of them zero; the last of a disk is filled up with zeros. Valid until the next one is asked for. */
  readonly bytes: Buffer;
}

export interface SparseDisk {
  readonly sizeBytes: number;
  /** In ascending order; with `part`, those that begin in it. */
  chunks(part?: Region): AsyncIterable<Chunk>;
}

/** Bytes from `offset`. */
export interface Region {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** With a toolbox, the file system is asked where the file has holes (filefrag); without, or where it cannot tell, all of it is read. */
export async function openSparseDisk(path: string, toolbox?: Toolbox): Promise<SparseDisk> {
  const sizeBytes = (await stat(path)).size;
  const ranges = (toolbox === undefined ? undefined : await allocated(path, toolbox)) ?? [
    { start: 0, end: sizeBytes },
  ];
  return { sizeBytes, chunks: (part) => readChunks(path, sizeBytes, within(ranges, part)) };
}

/** Where something is: whole chunks (but for the disk's end), joined where no more than `gapBytes` lie between them. */
export async function dataRegions(disk: SparseDisk, gapBytes = 0): Promise<readonly Region[]> {
  const regions: { offset: number; sizeBytes: number }[] = [];
  for await (const { offset } of disk.chunks()) {
    const end = Math.min(offset + CHUNK_BYTES, disk.sizeBytes);
    const last = regions.at(-1);
    if (last !== undefined && offset - (last.offset + last.sizeBytes) <= gapBytes)
      last.sizeBytes = end - last.offset;
    else regions.push({ offset, sizeBytes: end - offset });
  }
  return regions;
}

/** Every byte of a region that `dataRegions` gave, holes in it included. */
export async function* regionBytes(disk: SparseDisk, region: Region): AsyncIterable<Uint8Array> {
  const end = region.offset + region.sizeBytes;
  let position = region.offset;
  for await (const { offset, bytes } of disk.chunks(region)) {
    yield* zeros(offset - position);
    const length = Math.min(CHUNK_BYTES, end - offset);
    // A copy: a stream may keep it.
    yield Uint8Array.from(bytes.subarray(0, length));
    position = offset + length;
  }
  yield* zeros(end - position);
}

function* zeros(length: number): Iterable<Uint8Array> {
  for (let left = length; left > 0; left -= LARGE_ZEROS.length)
    yield LARGE_ZEROS.subarray(0, Math.min(left, LARGE_ZEROS.length));
}

interface Range {
  readonly start: number;
  readonly end: number;
}

const READ_BYTES = 16 * CHUNK_BYTES;
const ZEROS = Buffer.alloc(CHUNK_BYTES);
const LARGE_ZEROS = Buffer.alloc(16 * CHUNK_BYTES);

async function* readChunks(path: string, sizeBytes: number, ranges: readonly Range[]): AsyncIterable<Chunk> {
  const file = await open(path, 'r');
  try {
    const buffer = Buffer.alloc(READ_BYTES);
    for (const { start, end } of wholeChunks(ranges)) {
      for (let at = start; at < end; at += READ_BYTES) {
        const wanted = buffer.subarray(0, Math.min(READ_BYTES, end - at));
        await readFilled(file, wanted, at, sizeBytes);
        for (let inner = 0; inner < wanted.length; inner += CHUNK_BYTES) {
          const bytes = wanted.subarray(inner, inner + CHUNK_BYTES);
          if (!bytes.equals(ZEROS)) yield { offset: at + inner, bytes };
        }
      }
    }
  } finally {
    await file.close();
  }
}

function within(ranges: readonly Range[], part: Region | undefined): readonly Range[] {
  if (part === undefined) return ranges;
  const end = part.offset + part.sizeBytes;
  return ranges
    .map((range) => ({ start: Math.max(range.start, part.offset), end: Math.min(range.end, end) }))
    .filter((range) => range.start < range.end);
}

/** Fills the buffer; what lies behind the end of the file is zero. */
async function readFilled(
  file: FileHandle,
  buffer: Buffer,
  offset: number,
  sizeBytes: number,
): Promise<void> {
  const length = Math.max(0, Math.min(buffer.length, sizeBytes - offset));
  buffer.fill(0, length);
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) throw new Error('the disk image became shorter while it was read');
    done += bytesRead;
  }
}

/** Grown to whole chunks, and those that then touch joined. */
function wholeChunks(ranges: readonly Range[]): Range[] {
  const whole: { start: number; end: number }[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const start = Math.floor(range.start / CHUNK_BYTES) * CHUNK_BYTES;
    const end = Math.ceil(range.end / CHUNK_BYTES) * CHUNK_BYTES;
    const last = whole.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else whole.push({ start, end });
  }
  return whole;
}

const UNIT_BYTES = 512;

/** `undefined` where the file system does not tell (no FIEMAP). Node itself knows no SEEK_DATA. */
async function allocated(path: string, toolbox: Toolbox): Promise<readonly Range[] | undefined> {
  let text: string;
  try {
    // -s: what is still to be written counts as well.
    const { stdout } = await run([...toolbox.command('filefrag'), '-e', '-s', `-b${UNIT_BYTES}`, path]);
    text = stdout.toString('utf8');
  } catch {
    return undefined;
  }
  if (!/: \d+ extents? found$/m.test(text)) return undefined;
  return [...text.matchAll(/^\s*\d+:\s*(\d+)\.\.\s*(\d+):/gm)].map(([, first, last]) => ({
    start: Number(first) * UNIT_BYTES,
    end: (Number(last) + 1) * UNIT_BYTES,
  }));
}
