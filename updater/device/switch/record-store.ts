/** The update record on a BootDisk. */
import type { BootDisk } from './boot-disk.ts';
import type { UpdateRecord } from './record-content.ts';
import { COPY_BYTES, decodeRecord, encodeCopy, RECORD_BYTES } from './record.ts';

export async function loadRecord(disk: BootDisk): Promise<UpdateRecord> {
  return decodeRecord(await disk.readRecord()).record;
}

/**
 * Writes the changed record over the older copy, and flushes; nothing when nothing changed. Throws `switch.record` where it cannot be
 * written.
 */
export async function changeRecord(
  disk: BootDisk,
  change: (record: UpdateRecord) => UpdateRecord,
): Promise<UpdateRecord> {
  let file = await disk.readRecord();
  if (file?.length !== RECORD_BYTES) {
    // Only now is space needed: on the machine's first boot, or after somebody removed it.
    await disk.createRecord(RECORD_BYTES);
    file = undefined;
  }
  const stored = decodeRecord(file);
  const changed = change(stored.record);
  if (file !== undefined && stored.sequence > 0 && JSON.stringify(changed) === JSON.stringify(stored.record))
    return changed;
  await disk.writeRecord((1 - stored.copy) * COPY_BYTES, encodeCopy(changed, (stored.sequence + 1) >>> 0));
  await disk.flushRecord();
  return changed;
}
