/**
 * Puts the right content in the place of a committed UKI that is rotten, and keeps a copy of the good one where no boot loader looks. The new content is
 * whole and proven before the rotten one goes; between the two there is an empty file, which no boot loader takes: then the other version starts.
 */
import { UKI_COPY } from '../../../spec/esp.ts';
import { SlipwayError } from '../../../spec/error.ts';
import type { BootDisk, Esp, FileProducer } from './boot-disk.ts';
import { vacate } from './cleaning.ts';
import { OWN } from './entries.ts';
import { checkSpace } from './install-uki.ts';
import { renamingSteps } from './renaming.ts';
import { runSteps, type Step } from './steps.ts';

/** 8.3, as UKI.NEW. */
const FIXED_UKI = `${OWN}/UKI.FIX`;

export interface UkiRepair {
  readonly disk: BootDisk;
  readonly esp: Esp;
  /** In EFI/Linux. */
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly produce: FileProducer;
}

export const REPAIR_UKI_STEPS: readonly Step<UkiRepair>[] = [
  {
    label: 'repair.clean',
    run: async ({ esp, path }) => {
      // Of a repair that was cut in its rename, this may be a second name of that very file.
      await vacate(esp, FIXED_UKI, [path]);
      await esp.makeDirectory(OWN);
    },
  },
  { label: 'repair.sync-clean', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'repair.check-space', run: ({ esp, sizeBytes }) => checkSpace(esp, sizeBytes) },
  { label: 'repair.write', run: ({ esp, produce }) => esp.write(FIXED_UKI, produce) },
  { label: 'repair.sync-file', run: ({ esp }) => esp.syncFile(FIXED_UKI) },
  { label: 'repair.sync-directory', run: ({ esp }) => esp.syncDirectory(OWN) },
  { label: 'repair.drop-content', run: ({ esp }) => esp.dropCaches() },
  {
    label: 'repair.verify',
    run: async ({ esp, sha256 }) => {
      if ((await esp.digest(FIXED_UKI)) === sha256) return;
      await esp.remove(FIXED_UKI);
      throw new SlipwayError('switch.uki-content', 'what was to replace a rotten UKI is not right either');
    },
  },
  ...renamingSteps<UkiRepair>('repair', ({ esp, path }) => ({ esp, from: FIXED_UKI, to: path })),
  {
    label: 'repair.verify-place',
    run: async ({ esp, path, sha256 }) => {
      if ((await esp.digest(path)) !== sha256)
        throw new SlipwayError('switch.read-back', `${path} was written anew, and is rotten still`, {
          hint: 'the disk may be failing',
        });
    },
  },
];

export function repairUki(
  repair: UkiRepair,
  steps: readonly Step<UkiRepair>[] = REPAIR_UKI_STEPS,
): Promise<void> {
  return runSteps(repair.disk, steps, repair);
}

/** Nothing starts from the copy by itself, so it is written in place: cut, it is one that does not verify. False where it cannot be kept. */
export async function keepCopy(
  esp: Esp,
  sha256: string,
  sizeBytes: number,
  produce: FileProducer,
): Promise<boolean> {
  if ((await esp.digest(UKI_COPY)) === sha256) return true;
  try {
    await esp.makeDirectory(OWN);
    await checkSpace(esp, sizeBytes);
    await esp.write(UKI_COPY, produce);
    await esp.syncFile(UKI_COPY);
    await esp.syncDirectory(OWN);
    await esp.dropCaches();
    return (await esp.digest(UKI_COPY)) === sha256;
  } catch (error) {
    if (error instanceof SlipwayError) return false;
    throw error;
  }
}
