/** An update by the protocol's own functions, on a disk in memory; and what systemd-boot does to it. */
/* eslint-disable @typescript-eslint/require-await -- an interface of promises, answered at once */
import { writeFileSync } from 'node:fs';
import { commitSlot } from '../../../../updater/device/switch/commit-slot.ts';
import { installUki } from '../../../../updater/device/switch/install-uki.ts';
import { nextPhase } from '../../../../updater/device/switch/next-phase.ts';
import { prepareSlot } from '../../../../updater/device/switch/prepare.ts';
import { switchTo } from '../../../../updater/device/switch/switch-to.ts';
import type { RunningVersion } from '../../../../updater/device/switch/facts.ts';
import { manifestOf, runningVersion, ukiOf, type MemoryDisk } from './memory-disk.ts';

export const NOW = 1_800_000_000;
export const NETWORK = { interfaces: [] };

/** `until`: the phase before which it waits. */
export async function bring(
  disk: MemoryDisk,
  running: RunningVersion,
  version: string,
  until = 'restart',
): Promise<void> {
  const manifest = manifestOf(version);
  for (;;) {
    const phase = await nextPhase(disk, running, manifest);
    if (phase === until) return;
    switch (phase) {
      case 'prepare':
        await prepareSlot(disk, running, manifest, NOW);
        await commitSlot(disk, running, manifest);
        break;
      case 'install':
        await installUki(disk, running, manifest, async (output) => writeFileSync(output, ukiOf(version)));
        break;
      case 'switch':
        await switchTo(disk, running, manifest, NETWORK, NOW);
        break;
      case 'restart':
        return;
    }
  }
}

/** What systemd-boot does to the newest counted entry. */
export function tryBoot(disk: MemoryDisk, version: string, left: number): RunningVersion {
  const from = disk.names().find((name) => name.startsWith(`minimal_${version}+`))!;
  const bytes = disk.files.get(`EFI/Linux/${from}`)!;
  disk.files.delete(`EFI/Linux/${from}`);
  disk.files.set(`EFI/Linux/minimal_${version}+${left}-${3 - left}.efi`, bytes);
  return runningVersion(version, 'b', true);
}
