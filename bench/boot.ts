/**
 * From the kernel's start to all gates healthy, beside the time in which the same kernel reaches a busybox-only initrd. Both count the
 * guest's own uptime and go through the same firmware; rounds alternate, so that a busy workstation slows them alike.
 */
import { mkdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { changeEsp, withDiskCopy } from '../test/boot/disk-edit.ts';
import { buildTestImage, testKeys } from '../test/boot/image.ts';
import { bareUki } from './bare.ts';
import { benchMachine, bootedOverlay, LIMIT_MS, median, WORK } from './machine.ts';

export interface BootResult {
  readonly image: string;
  readonly bareMs: number;
  readonly startedMs: number;
  readonly gatesHealthyMs: number;
  /** Median of the rounds' own ratios of healthy to bare. */
  readonly ratio: number;
  readonly rounds: number;
}

export async function benchBoot(image: string, rounds: number): Promise<BootResult> {
  await mkdir(WORK, { recursive: true });
  const source = await buildTestImage(`images/${image}.yaml`);
  const base = basename(source.disk, '.raw');
  const uki = await readFile(source.disk.replace(/\.raw$/, '.efi'));
  const overlay = await bootedOverlay(image, source.disk, source.machineDiskBytes, source.user);
  const measured: { bare: number; started: number; healthy: number }[] = [];
  await withDiskCopy(source.disk, async (bareDisk) => {
    await changeEsp(bareDisk, { [`EFI/Linux/${base}.efi`]: await bareUki(uki, (await testKeys()).uki) });
    for (let round = 0; round < rounds; round++) {
      const bare = await timed(`${image}-bare`, { disk: bareDisk });
      const full = await timed(image, { disk: source.disk, overlay, diskSizeBytes: source.machineDiskBytes });
      measured.push({ bare: bare.started, started: full.started, healthy: full.healthy ?? NaN });
    }
  });
  return {
    image,
    bareMs: median(measured.map(({ bare }) => bare)),
    startedMs: median(measured.map(({ started }) => started)),
    gatesHealthyMs: median(measured.map(({ healthy }) => healthy)),
    ratio: median(measured.map(({ bare, healthy }) => healthy / bare)),
    rounds,
  };
}

async function timed(
  name: string,
  options: { disk: string; overlay?: string; diskSizeBytes?: number },
): Promise<{ started: number; healthy?: number }> {
  const machine = await benchMachine(join('boot', name), options);
  try {
    const { uptimeMs } = await machine.waitForReport('started', LIMIT_MS);
    if (options.overlay === undefined) return { started: uptimeMs };
    const { status } = await machine.waitForReport('healthy', LIMIT_MS);
    return { started: uptimeMs, healthy: status.gatesHealthySinceMs ?? NaN };
  } finally {
    await machine.close();
  }
}
