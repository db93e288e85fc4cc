/** A disk of another, larger size: the same partitions, and the table's copy at the new end. */
import { SlipwayError } from '../../spec/error.ts';
import { decodeGpt, encodeGpt, GPT_HEAD_BYTES, type GptTable } from '../gpt/table.ts';
import { CHUNK_BYTES, type Chunk, type SparseDisk } from './sparse-disk.ts';

/**
 * Some clouds take whole GiB only. State grows over the rest on the machine's first boot, as on any larger disk. Throws `gpt.invalid` where the
 * disk has no partition table.
 */
export async function grownDisk(disk: SparseDisk, unitBytes: number): Promise<SparseDisk> {
  const sizeBytes = Math.ceil(disk.sizeBytes / unitBytes) * unitBytes;
  if (sizeBytes === disk.sizeBytes) return disk;
  const old = await readTable(disk);
  const patches = [
    ...encodeGpt(old)
      .slice(1)
      .map(({ offset, bytes }) => ({ offset, bytes: new Uint8Array(bytes.length) })),
    ...encodeGpt({ ...old, diskBytes: sizeBytes }),
  ];
  return {
    sizeBytes,
    chunks: async function* (part) {
      for await (const chunk of patched(disk, patches)) {
        if (
          part === undefined ||
          (chunk.offset >= part.offset && chunk.offset < part.offset + part.sizeBytes)
        )
          yield chunk;
      }
    },
  };
}

/** The primary table. */
export async function readTable(disk: SparseDisk): Promise<GptTable> {
  for await (const { offset, bytes } of disk.chunks()) {
    const table = offset === 0 ? decodeGpt(bytes.subarray(0, GPT_HEAD_BYTES), disk.sizeBytes) : undefined;
    if (table !== undefined) return table;
    break;
  }
  throw new SlipwayError('gpt.invalid', 'it has no GUID partition table');
}

interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

async function* patched(disk: SparseDisk, patches: readonly Patch[]): AsyncIterable<Chunk> {
  const places = patches.flatMap(({ offset, bytes }) => {
    const first = Math.floor(offset / CHUNK_BYTES);
    const last = Math.floor((offset + bytes.length - 1) / CHUNK_BYTES);
    return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * CHUNK_BYTES);
  });
  const left = [...new Set(places)].sort((a, b) => a - b);
  for await (const { offset, bytes } of disk.chunks()) {
    // Chunks that only a patch fills.
    while (left[0] !== undefined && left[0] < offset) yield* apply(left.shift() ?? 0, undefined, patches);
    if (left[0] === offset) yield* apply(left.shift() ?? 0, bytes, patches);
    else yield { offset, bytes };
  }
  for (const offset of left) yield* apply(offset, undefined, patches);
}

function* apply(offset: number, old: Uint8Array | undefined, patches: readonly Patch[]): Iterable<Chunk> {
  const bytes = Buffer.alloc(CHUNK_BYTES);
  if (old !== undefined) bytes.set(old);
  for (const patch of patches) {
    const from = Math.max(offset, patch.offset);
    const to = Math.min(offset + CHUNK_BYTES, patch.offset + patch.bytes.length);
    if (from < to) bytes.set(patch.bytes.subarray(from - patch.offset, to - patch.offset), from - offset);
  }
  if (bytes.some((byte) => byte !== 0)) yield { offset, bytes };
}
