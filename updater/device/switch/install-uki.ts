/** Third phase: the UKI comes to lie on the ESP, whole and proven, under a name that no boot loader takes. */
import { SlipwayError } from '../../../spec/error.ts';
import type { ReleaseManifest } from '../../release/document.ts';
import type { BootDisk, Esp, FileProducer } from './boot-disk.ts';
import { removeAllBut, vacate } from './cleaning.ts';
import { NEW_UKI, OWN, runningEntry, ukiEntries } from './entries.ts';
import type { RunningVersion } from './facts.ts';
import { changeRecord } from './record-store.ts';
import { runSteps, type Step } from './steps.ts';

/** Room that is left on the ESP: for directories that grow, and the boot loader's two copies. */
export const ESP_RESERVE_BYTES = 1024 * 1024;

/** Makes the UKI's bytes, from the running version's, which lies at `sourcePath` meanwhile; `undefined` where it cannot be found. */
export type UkiProducer = (outputPath: string, sourcePath: string | undefined) => Promise<void>;

export interface Installation {
  readonly disk: BootDisk;
  readonly esp: Esp;
  readonly running: RunningVersion;
  readonly manifest: ReleaseManifest;
  readonly produce: UkiProducer;
}

export const INSTALL_UKI_STEPS: readonly Step<Installation>[] = [
  {
    label: 'install.clean',
    run: async (context) => {
      const source = await sourcePath(context);
      // Everything else in EFI/Linux went in the first phase.
      await removeAllBut(context.esp, source === undefined ? [] : [source]);
      // Of the last update's, cut behind its switch, this may be a second name: of the UKI that runs now.
      await vacate(context.esp, NEW_UKI, source === undefined ? [] : [source]);
      await context.esp.makeDirectory(OWN);
    },
  },
  { label: 'install.sync-clean', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'install.check-space', run: ({ esp, manifest }) => checkSpace(esp, manifest.uki.sizeBytes) },
  {
    label: 'install.write',
    run: async (context) => {
      const source = await sourcePath(context);
      const produce: FileProducer = (output, locate) =>
        context.produce(output, source === undefined ? undefined : locate(source));
      await context.esp.write(NEW_UKI, produce);
    },
  },
  { label: 'install.sync-file', run: ({ esp }) => esp.syncFile(NEW_UKI) },
  { label: 'install.sync-directory', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'install.drop-caches', run: ({ esp }) => esp.dropCaches() },
  {
    label: 'install.verify',
    run: async ({ esp, manifest }) => {
      if ((await esp.digest(NEW_UKI)) === manifest.uki.sha256) return;
      await esp.remove(NEW_UKI);
      throw new SlipwayError(
        'switch.uki-content',
        'the UKI on the boot partition is not what was published',
        {
          hint: 'the disk may be failing; the next attempt writes it anew',
        },
      );
    },
  },
  {
    label: 'install.record',
    run: async ({ disk }) => {
      await changeRecord(disk, (record) => ({
        ...record,
        attempt: record.attempt === null ? null : { ...record.attempt, stage: 'installed' },
      }));
    },
  },
];

export async function installUki(
  disk: BootDisk,
  running: RunningVersion,
  manifest: ReleaseManifest,
  produce: UkiProducer,
  steps: readonly Step<Installation>[] = INSTALL_UKI_STEPS,
): Promise<void> {
  await disk.withEsp((esp) => runSteps(disk, steps, { disk, esp, running, manifest, produce }));
}

async function sourcePath({ disk, esp, running }: Installation): Promise<string | undefined> {
  return (await runningEntry(disk, await ukiEntries(esp), running))?.path;
}

/** Throws `switch.esp-full`, with numbers: others said "Input/output error" (failure 11). */
export async function checkSpace(esp: Esp, neededBytes: number): Promise<void> {
  const free = await esp.freeBytes();
  if (free >= neededBytes + ESP_RESERVE_BYTES) return;
  const mebibytes = (bytes: number): string => `${Math.ceil(bytes / 1024 / 1024)} MiB`;
  throw new SlipwayError(
    'switch.esp-full',
    `the boot partition has ${mebibytes(free)} free, and the new UKI needs ${mebibytes(neededBytes + ESP_RESERVE_BYTES)}`,
    { hint: "something that is not Slipway's fills it: mount it and look" },
  );
}
