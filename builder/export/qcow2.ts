/** QEMU's qcow2, version 3 (QEMU, docs/interop/qcow2.txt): clusters of 64 KiB, nothing compressed, holes left out. */
import { CHUNK_BYTES, type SparseDisk } from './sparse-disk.ts';
import { writeOutput, type OutputFile } from './output.ts';

/** Entries of eight bytes in one cluster. */
const L2_ENTRIES = CHUNK_BYTES / 8;
/** Reference counts of two bytes in one cluster. */
const REFCOUNTS = CHUNK_BYTES / 2;
const HEADER_BYTES = 104;
/** Bit 63 of an entry: the cluster is referenced once, and may be written in place. */
const COPIED = 1n << 63n;

/** Header, L1 table, data in the disk's order, L2 tables, reference counts. Throws RangeError beyond 4 TiB. */
export async function writeQcow2(disk: SparseDisk, output: string): Promise<void> {
  const l1Entries = Math.ceil(disk.sizeBytes / (CHUNK_BYTES * L2_ENTRIES));
  if (l1Entries > L2_ENTRIES) throw new RangeError('a disk of more than 4 TiB');
  await writeOutput(output, async (file) => {
    const l1 = Buffer.alloc(CHUNK_BYTES);
    const l2 = new Map<number, Buffer>();
    // The header and the L1 table come first, and are known last.
    await file.append(Buffer.alloc(2 * CHUNK_BYTES));
    for await (const { offset, bytes } of disk.chunks()) {
      const cluster = offset / CHUNK_BYTES;
      const table = Math.floor(cluster / L2_ENTRIES);
      const entries = l2.get(table) ?? Buffer.alloc(CHUNK_BYTES);
      entries.writeBigUInt64BE(BigInt(file.position) | COPIED, (cluster % L2_ENTRIES) * 8);
      l2.set(table, entries);
      await file.append(bytes);
    }
    for (const [table, entries] of l2) {
      l1.writeBigUInt64BE(BigInt(file.position) | COPIED, table * 8);
      await file.append(entries);
    }
    const { tableOffset, tableClusters } = await appendRefcounts(file);
    await file.writeAt(header(disk.sizeBytes, l1Entries, tableOffset, tableClusters), 0);
    await file.writeAt(l1, CHUNK_BYTES);
  });
}

/** Every cluster so far, and those of the counts themselves, is used once. */
async function appendRefcounts(file: OutputFile): Promise<{ tableOffset: number; tableClusters: number }> {
  const used = file.position / CHUNK_BYTES;
  let blocks = 0;
  let tableClusters = 0;
  const total = (): number => used + blocks + tableClusters;
  do {
    blocks = Math.ceil((total() + 1) / REFCOUNTS);
    tableClusters = Math.ceil(blocks / L2_ENTRIES);
  } while (blocks * REFCOUNTS < total());
  const counts = Buffer.alloc(blocks * CHUNK_BYTES);
  for (let cluster = 0; cluster < total(); cluster++) counts.writeUInt16BE(1, cluster * 2);
  const first = file.position;
  await file.append(counts);
  const table = Buffer.alloc(tableClusters * CHUNK_BYTES);
  for (let block = 0; block < blocks; block++)
    table.writeBigUInt64BE(BigInt(first + block * CHUNK_BYTES), block * 8);
  const tableOffset = file.position;
  await file.append(table);
  return { tableOffset, tableClusters };
}

function header(sizeBytes: number, l1Entries: number, tableOffset: number, tableClusters: number): Buffer {
  // Behind it: the header extension "end", which is eight zeros.
  const bytes = Buffer.alloc(HEADER_BYTES + 8);
  bytes.write('QFI\xfb', 0, 'latin1');
  bytes.writeUInt32BE(3, 4);
  bytes.writeUInt32BE(Math.log2(CHUNK_BYTES), 20);
  bytes.writeBigUInt64BE(BigInt(sizeBytes), 24);
  bytes.writeUInt32BE(l1Entries, 36);
  bytes.writeBigUInt64BE(BigInt(CHUNK_BYTES), 40);
  bytes.writeBigUInt64BE(BigInt(tableOffset), 48);
  bytes.writeUInt32BE(tableClusters, 56);
  // refcount_order: counts of 2^4 bits.
  bytes.writeUInt32BE(4, 96);
  bytes.writeUInt32BE(HEADER_BYTES, 100);
  return bytes;
}
