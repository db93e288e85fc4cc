/** One sparse file in a tar archive, in GNU tar's old format: what `tar --format=oldgnu -S` writes, and Google Compute Engine reads. */
import { CHUNK_BYTES, dataRegions, type Region, type SparseDisk } from './sparse-disk.ts';

export interface TarMember {
  readonly name: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

const RECORD = 512;
/** A map's first entries stand in the header, the others in records of 21. */
const IN_HEADER = 4;
const IN_RECORD = 21;
/** tar fills an archive up to twenty records. */
const BLOCKING_BYTES = 20 * RECORD;

/** Reads the disk twice: the map comes before the data. */
export async function writeSparseTar(
  disk: SparseDisk,
  member: TarMember,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const regions = await dataRegions(disk);
  const stored = regions.reduce((sum, region) => sum + region.sizeBytes, 0);
  // An empty region at the end tells how long the file is.
  const map = [...regions, { offset: disk.sizeBytes, sizeBytes: 0 }];
  const head = Buffer.concat([
    header(member, stored, disk.sizeBytes, map),
    ...mapRecords(map.slice(IN_HEADER)),
  ]);
  await write(head);
  for await (const { offset, bytes } of disk.chunks())
    await write(bytes.subarray(0, Math.min(CHUNK_BYTES, disk.sizeBytes - offset)));
  const length = head.length + Math.ceil(stored / RECORD) * RECORD;
  const end = Math.ceil((length + 2 * RECORD) / BLOCKING_BYTES) * BLOCKING_BYTES;
  await write(Buffer.alloc(end - head.length - stored));
}

/** struct posix_header with oldgnu's fields (GNU tar, src/tar.h). */
function header(member: TarMember, stored: number, realBytes: number, map: readonly Region[]): Buffer {
  const bytes = Buffer.alloc(RECORD);
  bytes.write(member.name, 0, 100, 'utf8');
  bytes.write('0000644\0', 100, 'latin1');
  bytes.write('0000000\0', 108, 'latin1');
  bytes.write('0000000\0', 116, 'latin1');
  writeNumber(bytes, 124, stored);
  writeNumber(bytes, 136, member.epoch);
  bytes.write('S', 156, 'latin1');
  bytes.write('ustar  \0', 257, 'latin1');
  writeMap(bytes, 386, map.slice(0, IN_HEADER));
  bytes.writeUInt8(map.length > IN_HEADER ? 1 : 0, 482);
  writeNumber(bytes, 483, realBytes);
  bytes.fill(' ', 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function mapRecords(map: readonly Region[]): Buffer[] {
  const records: Buffer[] = [];
  for (let at = 0; at < map.length; at += IN_RECORD) {
    const bytes = Buffer.alloc(RECORD);
    writeMap(bytes, 0, map.slice(at, at + IN_RECORD));
    bytes.writeUInt8(at + IN_RECORD < map.length ? 1 : 0, IN_RECORD * 24);
    records.push(bytes);
  }
  return records;
}

function writeMap(bytes: Buffer, at: number, map: readonly Region[]): void {
  map.forEach(({ offset, sizeBytes }, index) => {
    writeNumber(bytes, at + index * 24, offset);
    writeNumber(bytes, at + index * 24 + 12, sizeBytes);
  });
}

const OCTAL_LIMIT = 8 ** 11;

/** Eleven octal digits and a NUL; what is larger as GNU's base 256. */
function writeNumber(bytes: Buffer, at: number, value: number): void {
  if (value < OCTAL_LIMIT) {
    bytes.write(`${value.toString(8).padStart(11, '0')}\0`, at, 'latin1');
    return;
  }
  bytes.fill(0, at, at + 12);
  bytes.writeUInt8(0x80, at);
  bytes.writeBigUInt64BE(BigInt(value), at + 4);
}
