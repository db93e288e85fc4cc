/** Which parts of a disk image must be written on a disk that holds something else already: zeros count where a file system reads them. */
import { SlipwayError } from '../../spec/error.ts';
import { CHUNK_BYTES, dataRegions, type Region, type SparseDisk } from '../export/sparse-disk.ts';
import type { GptTable } from '../gpt/table.ts';

/** A second slot is empty: what an earlier system left at its start must not look like one. */
const EMPTY_HEAD: Region['sizeBytes'] = CHUNK_BYTES;

/**
 * Of each partition from its start to the last thing that is in it, the holes between included; of state all; the partition table last, since with
 * it the disk becomes one that starts. In units of CHUNK_BYTES.
 */
export async function regionsToWrite(disk: SparseDisk, table: GptTable): Promise<readonly Region[]> {
  const data = await dataRegions(disk);
  const regions = table.partitions.map(({ name, offsetBytes, sizeBytes }): Region => {
    const end = offsetBytes + sizeBytes;
    const last = data.findLast(({ offset }) => offset < end);
    const lastByte = last === undefined ? offsetBytes : Math.min(end, last.offset + last.sizeBytes);
    const used = Math.max(lastByte - offsetBytes, EMPTY_HEAD);
    return { offset: offsetBytes, sizeBytes: name === 'slipway-state' ? sizeBytes : used };
  });
  const all = [...regions, { offset: 0, sizeBytes: CHUNK_BYTES }];
  if (all.some(({ offset, sizeBytes }) => offset % CHUNK_BYTES !== 0 || sizeBytes % CHUNK_BYTES !== 0))
    throw new SlipwayError(
      'install.layout',
      'the partitions of the disk image are not aligned as Slipway’s are',
    );
  return all;
}
