/** Copies files into a disk image without writing its holes. */
import { open, type FileHandle } from 'node:fs/promises';

const CHUNK_BYTES = 1024 * 1024;
const HOLE_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(HOLE_BYTES);

/** Copies all of `source` to `offset`; runs of zeros stay holes. Uses one buffer of 1 MiB. */
export async function copyInto(target: FileHandle, source: string, offset: number): Promise<void> {
  const input = await open(source, 'r');
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (let position = 0; ;) {
      const { bytesRead } = await input.read(buffer, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return;
      await writeData(target, buffer.subarray(0, bytesRead), offset + position);
      position += bytesRead;
    }
  } finally {
    await input.close();
  }
}

/** Writes neighbouring pieces that hold data in one go. */
async function writeData(target: FileHandle, chunk: Buffer, offset: number): Promise<void> {
  let start = 0;
  for (let end = 0; end < chunk.length; end += HOLE_BYTES) {
    const piece = chunk.subarray(end, end + HOLE_BYTES);
    if (!piece.equals(ZEROS.subarray(0, piece.length))) continue;
    await writeAll(target, chunk.subarray(start, end), offset + start);
    start = end + piece.length;
  }
  await writeAll(target, chunk.subarray(start), offset + start);
}

/** One `write` may take less than it was given. */
export async function writeAll(target: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await target.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}
