/**
 * `qjs -m partition.js FILE SECTOR-BYTES [DISK-GUID ESP-GUID]`: adapts the partition table in FILE, a sparse copy of a disk's two ends in memory.
 * The initrd starts it from the verified root, before anything on the disk is in use.
 */
import * as std from 'std';
import { adaptTable, headBytes, tailBytes } from './table.ts';

function main([path, sector, disk, esp]: readonly string[]): string | undefined {
  const sectorBytes = Number(sector);
  if (path === undefined || ![512, 4096].includes(sectorBytes))
    return 'usage: FILE 512|4096 [DISK-GUID ESP-GUID]';
  const file = std.open(path, 'r+b');
  if (file === null) return `cannot open ${path}`;
  file.seek(0, std.SEEK_END);
  const diskBytes = file.tell();
  const read = (offset: number, length: number): Uint8Array => {
    const bytes = new Uint8Array(length);
    file.seek(offset, std.SEEK_SET);
    file.read(bytes.buffer, 0, length);
    return bytes;
  };
  const write = (offset: number, bytes: Uint8Array): void => {
    file.seek(offset, std.SEEK_SET);
    file.write(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  const tailAt = diskBytes - tailBytes(sectorBytes);
  const result = adaptTable({
    diskBytes,
    sectorBytes,
    head: read(0, headBytes(sectorBytes)),
    tail: read(tailAt, tailBytes(sectorBytes)),
    ...(disk === undefined || esp === undefined ? {} : { newGuids: { disk, esp } }),
  });
  if (!result.ok) return result.problem;
  write(0, result.head);
  write(tailAt, result.tail);
  file.close();
  return undefined;
}

const problem = main(scriptArgs.slice(1));
if (problem !== undefined) {
  std.err.puts(`${problem}\n`);
  std.exit(1);
}
