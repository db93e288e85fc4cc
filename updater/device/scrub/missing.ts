/** UKIs of good versions that somebody, or a file system check, took from the boot partition: their roots are whole, and nothing would start them any more. */
import { UKI_COPY } from '../../../spec/esp.ts';
import { compareVersions } from '../../../spec/version.ts';
import type { BootDisk, Esp } from '../switch/boot-disk.ts';
import { LINUX, type UkiEntry } from '../switch/entries.ts';
import { otherSlot, type RunningVersion } from '../switch/facts.ts';
import { findFailed, type VersionId } from '../switch/record-content.ts';
import { loadRecord } from '../switch/record-store.ts';
import { slotContent } from '../switch/superblock.ts';
import { ukiName } from '../switch/uki-name.ts';

/** As they would lie there; `sizeBytes` is the copy's. `entries`: what lies there. */
export async function missingUkis(
  disk: BootDisk,
  esp: Esp,
  running: RunningVersion,
  entries: readonly UkiEntry[],
): Promise<readonly UkiEntry[]> {
  const sizeBytes = (await sizeOf(esp, UKI_COPY)) ?? 0;
  return (await goodVersions(disk, running))
    .filter(({ version }) => !entries.some((entry) => isOf(entry, running, version)))
    .map(({ version }) => {
      const name = { image: running.image, version, tries: undefined };
      const fileName = ukiName(name);
      return { ...name, fileName, path: `${LINUX}/${fileName}`, sizeBytes };
    });
}

/** Whatever lies there of this version, counted or not. */
function isOf(entry: UkiEntry, { image }: RunningVersion, version: string): boolean {
  return entry.image === image && entry.version === version;
}

/**
 * What runs, and the one to return to: while its slot holds it whole, and nothing is being put there. Never a version that was given up, or is newer than
 * what runs: without a counter it would be what starts next.
 */
async function goodVersions(disk: BootDisk, running: RunningVersion): Promise<readonly VersionId[]> {
  const record = await loadRecord(disk);
  const { older, attempt, trial } = record;
  if (older === null || attempt !== null || trial !== null) return [running];
  const content = slotContent(await disk.readSuperblock(otherSlot(running.slot)));
  const isThere =
    content !== undefined &&
    older.rootHash.startsWith(content) &&
    older.rootHash !== running.rootHash &&
    compareVersions(older.version, running.version) < 0 &&
    findFailed(record, older) === undefined;
  return isThere ? [running, older] : [running];
}

export async function sizeOf(esp: Esp, path: string): Promise<number | undefined> {
  const [, directory = '', name = ''] = /^(.*)\/([^/]*)$/.exec(path) ?? [];
  const entries = await esp.list(directory);
  return entries.find((entry) => entry.name.toLowerCase() === name.toLowerCase())?.sizeBytes;
}
