/** Which disk, and whether it may be written. Pure: nothing is changed before all of it holds. */
import { chooseDisk, describeDisk, type DiskChoice } from '../../spec/disk-choice.ts';
import { SlipwayError } from '../../spec/error.ts';
import { formatBytes } from '../../system/format.ts';
import type { InstallDisk, InstallFacts, Medium } from './facts.ts';
import { LEAST_DISK_BYTES } from './table.ts';

export interface InstallPlan {
  readonly disk: InstallDisk & { readonly sectorBytes: 512 | 4096 };
  readonly medium: Medium;
  /** For people, a line each. */
  readonly lines: readonly string[];
}

/** Throws `install.not-live`, `install.no-disk`, `install.which-disk`, `install.unfit`, `install.holds-data`. */
export function planInstall(
  facts: InstallFacts,
  choice: DiskChoice,
  overwrite: 'never' | 'wipe',
): InstallPlan {
  const { medium, image } = facts;
  if (medium === undefined)
    throw new SlipwayError('install.not-live', 'this machine does not run from an installation medium', {
      hint: 'start it from what `slipway export` makes: --format iso, or netboot',
    });
  const disk = chosenDisk(facts, choice);
  const faults = [
    ...(disk.inUse ? ['it is in use: this machine runs from it, or something of it is mounted'] : []),
    ...(disk.readOnly ? ['it is read-only'] : []),
    ...(disk.sectorBytes === 512 || disk.sectorBytes === 4096
      ? []
      : [`its sectors have ${disk.sectorBytes} bytes`]),
    ...(disk.sizeBytes >= LEAST_DISK_BYTES
      ? []
      : [`it has ${formatBytes(disk.sizeBytes)}, and ${formatBytes(LEAST_DISK_BYTES)} are needed`]),
  ];
  if (faults.length > 0)
    throw new SlipwayError('install.unfit', `${describeDisk(disk)} cannot be taken: ${faults.join('; ')}`);
  if (disk.hasData && overwrite !== 'wipe')
    throw new SlipwayError('install.holds-data', `${describeDisk(disk)} holds data`, {
      hint: 'if all of it may go: slip install --overwrite wipe, or `overwrite: wipe` under `install:`; nothing was changed',
    });
  const sectorBytes = disk.sectorBytes === 4096 ? 4096 : 512;
  return {
    disk: { ...disk, sectorBytes },
    medium,
    lines: [
      `disk      ${describeDisk(disk)}`,
      `becomes   ${image.name} ${image.version} (${image.architecture})`,
      `now       ${disk.hasData ? 'it holds data, and all of it is lost' : 'empty'}`,
    ],
  };
}

/** The disk that is meant, whatever it holds. Throws `install.no-disk`, `install.which-disk`. */
export function chosenDisk({ disks }: InstallFacts, choice: DiskChoice): InstallDisk {
  return chooseDisk(disks, choice, {
    isFree: (disk) => !disk.inUse && !disk.readOnly,
    leastBytes: LEAST_DISK_BYTES,
  });
}
