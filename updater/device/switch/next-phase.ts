/** Where an update that was interrupted goes on: told by what is on the disk, which the record only points to. */
import type { ReleaseManifest } from '../../release/document.ts';
import type { BootDisk } from './boot-disk.ts';
import { LINUX, NEW_UKI } from './entries.ts';
import { otherSlot, type RunningVersion } from './facts.ts';
import { isSame } from './record-content.ts';
import { loadRecord } from './record-store.ts';
import { slotContent } from './superblock.ts';
import { TRIES, ukiName } from './uki-name.ts';

/** `restart`: it is switched to already. */
export type Phase = 'prepare' | 'install' | 'switch' | 'restart';

export async function nextPhase(
  disk: BootDisk,
  running: RunningVersion,
  manifest: ReleaseManifest,
): Promise<Phase> {
  const { attempt, trial } = await loadRecord(disk);
  const id = { version: manifest.version, rootHash: manifest.root.rootHash };
  const superblock = await disk.readSuperblock(otherSlot(running.slot));
  if (slotContent(superblock) !== id.rootHash.slice(0, 32)) return 'prepare';
  if (trial !== null && isSame(trial, id)) {
    const name = ukiName({ ...manifest, tries: { left: TRIES, done: 0 } });
    const digest = await disk.withEsp((esp) => esp.digest(`${LINUX}/${name}`));
    if (digest === manifest.uki.sha256) return 'restart';
  }
  if (attempt === null || !isSame(attempt, id) || attempt.uki.sha256 !== manifest.uki.sha256)
    return 'prepare';
  if (attempt.stage === 'writing') return 'prepare';
  if (attempt.stage === 'written') return 'install';
  const digest = await disk.withEsp((esp) => esp.digest(NEW_UKI));
  return digest === manifest.uki.sha256 ? 'switch' : 'install';
}
