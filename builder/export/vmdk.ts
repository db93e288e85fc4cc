/** Stream-optimised VMDK (VMware, "Virtual Disk Format 5.0"): compressed grains, and tables behind them. What OVA and cloud imports take. */
import { zlibSync } from 'fflate';
import { geometry } from './vhd.ts';
import { CHUNK_BYTES, type SparseDisk } from './sparse-disk.ts';
import { writeOutput, type OutputFile } from './output.ts';

export interface VmdkOptions {
  /** Name of the file within its own description. */
  readonly name: string;
  /** 32 hexadecimal digits, from the image. */
  readonly contentId: string;
}

const SECTOR = 512;
const GRAIN_SECTORS = CHUNK_BYTES / SECTOR;
const TABLE_ENTRIES = 512;
const TABLE_BYTES = TABLE_ENTRIES * 4;
const DESCRIPTOR_SECTORS = 20;
const OVERHEAD_SECTORS = 128;
const AT_END = 0xffffffffffffffffn;
/** Valid newline test, compressed grains, markers. */
const FLAGS = 0x30001;
const MARKER = { table: 1, directory: 2, footer: 3 } as const;

/** Deflate comes from fflate, which is JavaScript: Node's own zlib gives other bytes on other processors. */
export async function writeVmdk(disk: SparseDisk, output: string, options: VmdkOptions): Promise<void> {
  const capacity = Math.ceil(disk.sizeBytes / CHUNK_BYTES) * GRAIN_SECTORS;
  const directory = Buffer.alloc(
    Math.ceil((Math.ceil(capacity / (GRAIN_SECTORS * TABLE_ENTRIES)) * 4) / SECTOR) * SECTOR,
  );
  await writeOutput(output, async (file) => {
    await file.append(header(capacity, AT_END));
    await file.append(Buffer.from(descriptor(capacity, options)));
    file.align(OVERHEAD_SECTORS * SECTOR);
    let current: { readonly place: number; readonly entries: Buffer } | undefined;
    const endTable = async (): Promise<void> => {
      if (current === undefined) return;
      await file.append(marker(TABLE_BYTES / SECTOR, MARKER.table));
      directory.writeUInt32LE(file.position / SECTOR, current.place * 4);
      await file.append(current.entries);
    };
    for await (const { offset, bytes } of disk.chunks()) {
      const grain = offset / CHUNK_BYTES;
      const place = Math.floor(grain / TABLE_ENTRIES);
      if (current?.place !== place) {
        await endTable();
        current = { place, entries: Buffer.alloc(TABLE_BYTES) };
      }
      current.entries.writeUInt32LE(file.position / SECTOR, (grain % TABLE_ENTRIES) * 4);
      await appendGrain(file, offset / SECTOR, bytes);
    }
    await endTable();
    await file.append(marker(directory.length / SECTOR, MARKER.directory));
    const directorySector = file.position / SECTOR;
    await file.append(directory);
    await file.append(marker(1, MARKER.footer));
    await file.append(header(capacity, BigInt(directorySector)));
    // The marker of the stream's end is a sector of zeros.
    await file.append(Buffer.alloc(SECTOR));
  });
}

async function appendGrain(file: OutputFile, sector: number, bytes: Uint8Array): Promise<void> {
  const packed = zlibSync(bytes, { level: 6 });
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(sector), 0);
  head.writeUInt32LE(packed.length, 8);
  await file.append(Buffer.concat([head, packed]));
  file.align(SECTOR);
}

function marker(sectors: number, type: number): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.writeBigUInt64LE(BigInt(sectors), 0);
  bytes.writeUInt32LE(type, 12);
  return bytes;
}

/** SparseExtentHeader; as the footer it tells where the grain directory is. */
function header(capacity: number, directorySector: bigint): Buffer {
  const bytes = Buffer.alloc(SECTOR);
  bytes.write('KDMV', 0, 'latin1');
  bytes.writeUInt32LE(3, 4);
  bytes.writeUInt32LE(FLAGS, 8);
  bytes.writeBigUInt64LE(BigInt(capacity), 12);
  bytes.writeBigUInt64LE(BigInt(GRAIN_SECTORS), 20);
  bytes.writeBigUInt64LE(1n, 28);
  bytes.writeBigUInt64LE(BigInt(DESCRIPTOR_SECTORS), 36);
  bytes.writeUInt32LE(TABLE_ENTRIES, 44);
  bytes.writeBigUInt64LE(directorySector, 56);
  bytes.writeBigUInt64LE(BigInt(OVERHEAD_SECTORS), 64);
  bytes.write('\n \r\n', 73, 'latin1');
  bytes.writeUInt16LE(1, 77); // deflate
  return bytes;
}

function descriptor(capacity: number, { name, contentId }: VmdkOptions): string {
  const { cylinders, heads, sectors } = geometry(capacity);
  return [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${contentId.slice(0, 8)}`,
    'parentCID=ffffffff',
    'createType="streamOptimized"',
    '',
    '# Extent description',
    `RW ${capacity} SPARSE "${name}"`,
    '',
    '# The Disk Data Base',
    '#DDB',
    '',
    'ddb.adapterType = "lsilogic"',
    'ddb.encoding = "UTF-8"',
    `ddb.geometry.cylinders = "${cylinders}"`,
    `ddb.geometry.heads = "${heads}"`,
    `ddb.geometry.sectors = "${sectors}"`,
    `ddb.longContentID = "${contentId}"`,
    'ddb.virtualHWVersion = "14"',
    '',
  ].join('\n');
}
