/** A disk in zstd frames (RFC 8878): its data by the zstd program, its holes by hand, since those are most of it. */
import { Readable } from 'node:stream';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';
import { writeOutput, type OutputFile } from './output.ts';
import { dataRegions, regionBytes, type SparseDisk } from './sparse-disk.ts';

/** Within a root nothing is farther away than 128 MiB, the most that zstd unpacks without being asked. */
const OPTIONS = ['-12', '--long=27', '--single-thread', '-q', '-c'] as const;
/** Smaller holes are left to zstd: a process each would cost more. */
const GAP_BYTES = 8 * 1024 * 1024;

/** Frames one after another: `zstd -d` gives the disk. */
export async function writeZstd(disk: SparseDisk, output: string, toolbox: Toolbox): Promise<void> {
  const regions = await dataRegions(disk, GAP_BYTES);
  await writeOutput(output, async (file) => {
    let position = 0;
    for (const region of regions) {
      await appendZeros(file, region.offset - position);
      const { stdout } = await run(
        [...toolbox.command('zstd'), ...OPTIONS, `--stream-size=${region.sizeBytes}`],
        { input: Readable.from(regionBytes(disk, region), { objectMode: false }) },
      );
      await file.append(stdout);
      position = region.offset + region.sizeBytes;
    }
    await appendZeros(file, disk.sizeBytes - position);
  });
}

const MAGIC = 0xfd2fb528;
/** Window of 128 KiB: the largest block, too. */
const WINDOW_DESCRIPTOR = 7 << 3;
const BLOCK_BYTES = 128 * 1024;
const RLE = 1;

/** One frame of nothing but run-length blocks, which have four bytes each. */
async function appendZeros(file: OutputFile, sizeBytes: number): Promise<void> {
  if (sizeBytes === 0) return;
  const blocks = Math.ceil(sizeBytes / BLOCK_BYTES);
  const frame = Buffer.alloc(14 + blocks * 4);
  frame.writeUInt32LE(MAGIC, 0);
  // The content's size stands in eight bytes; no checksum, no dictionary.
  frame.writeUInt8(0xc0, 4);
  frame.writeUInt8(WINDOW_DESCRIPTOR, 5);
  frame.writeBigUInt64LE(BigInt(sizeBytes), 6);
  for (let block = 0; block < blocks; block++) {
    const length = Math.min(BLOCK_BYTES, sizeBytes - block * BLOCK_BYTES);
    const last = block === blocks - 1 ? 1 : 0;
    frame.writeUIntLE(last | (RLE << 1) | (length << 3), 14 + block * 4, 3);
  }
  await file.append(frame);
}
