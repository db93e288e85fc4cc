/** Fixed VHD (Microsoft, "Virtual Hard Disk Image Format Specification", 1.0): the disk as it is, and a footer. What Azure takes. */
import { SlipwayError } from '../../spec/error.ts';
import { guidBytes } from '../gpt/guid.ts';
import type { SparseDisk } from './sparse-disk.ts';
import { writeOutput } from './output.ts';

const MIB = 1024 * 1024;
const FOOTER_BYTES = 512;
/** Seconds from 1970 to 2000, where a VHD's clock begins. */
const VHD_EPOCH = Date.UTC(2000, 0, 1) / 1000;

export interface VhdOptions {
  readonly uuid: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

/** Throws `export.alignment` for a disk that is no whole number of MiB: Azure refuses it. */
export async function writeVhd(disk: SparseDisk, output: string, options: VhdOptions): Promise<void> {
  if (disk.sizeBytes % MIB !== 0)
    throw new SlipwayError('export.alignment', `a disk of ${disk.sizeBytes} bytes is no whole number of MiB`);
  await writeOutput(output, async (file) => {
    for await (const { offset, bytes } of disk.chunks()) await file.writeAt(bytes, offset);
    await file.writeAt(footer(disk.sizeBytes, options), disk.sizeBytes);
  });
}

function footer(sizeBytes: number, { uuid, epoch }: VhdOptions): Buffer {
  const bytes = Buffer.alloc(FOOTER_BYTES);
  const { cylinders, heads, sectors } = geometry(sizeBytes / 512);
  bytes.write('conectix', 0, 'latin1');
  bytes.writeUInt32BE(2, 8); // features: the reserved bit, always set
  bytes.writeUInt32BE(0x00010000, 12);
  bytes.writeBigUInt64BE(0xffffffffffffffffn, 16); // no dynamic header
  bytes.writeUInt32BE(Math.max(0, epoch - VHD_EPOCH), 24);
  // Readers take the size, and not the geometry, for true where this stands (QEMU, block/vpc.c: `force_size`).
  bytes.write('qem2', 28, 'latin1');
  bytes.writeUInt32BE(0x00010000, 32);
  bytes.write('Wi2k', 36, 'latin1');
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 40); // original size
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 48); // current size
  bytes.writeUInt16BE(cylinders, 56);
  bytes.writeUInt8(heads, 58);
  bytes.writeUInt8(sectors, 59);
  bytes.writeUInt32BE(2, 60); // fixed
  bytes.set(guidBytes(uuid), 68);
  bytes.writeUInt32BE(~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
  return bytes;
}

/** The specification's appendix, "CHS calculation". */
export function geometry(wanted: number): { cylinders: number; heads: number; sectors: number } {
  const total = Math.min(wanted, 65535 * 16 * 255);
  let sectors = 255;
  let heads = 16;
  let rows = Math.floor(total / sectors);
  if (total < 65535 * 16 * 63) {
    sectors = 17;
    rows = Math.floor(total / sectors);
    heads = Math.max(4, Math.floor((rows + 1023) / 1024));
    if (rows >= heads * 1024 || heads > 16) {
      sectors = 31;
      heads = 16;
      rows = Math.floor(total / sectors);
    }
    if (rows >= heads * 1024) {
      sectors = 63;
      heads = 16;
      rows = Math.floor(total / sectors);
    }
  }
  return { cylinders: Math.floor(rows / heads), heads, sectors };
}
