/** Which disk, and whether it may be written. Pure: nothing is changed before all of it holds. */
import { SlipwayError } from '../../spec/error.ts';
import { formatBytes } from '../../system/format.ts';
import type { InstallDisk, InstallFacts, Medium } from './facts.ts';
import { LEAST_DISK_BYTES } from './table.ts';

export type DiskChoice =
  | { readonly by: 'path'; readonly path: string }
  | { readonly by: 'serial'; readonly serial: string }
  | { readonly by: 'size'; readonly sizeBytes: number }
  | { readonly by: 'smallest' | 'largest' };

export interface InstallPlan {
  readonly disk: InstallDisk & { readonly sectorBytes: 512 | 4096 };
  readonly medium: Medium;
  /** For people, a line each. */
  readonly lines: readonly string[];
}

/** Makers of disks count in thousands, everybody else here in 1024; and no disk has exactly what it says. */
const SIZE_TOLERANCE = 0.02;
const TIB = 1024 ** 4;

function isAbout(sizeBytes: number, wantedBytes: number): boolean {
  const byMakers = wantedBytes * (1000 / 1024) ** (wantedBytes >= TIB ? 4 : 3);
  return [wantedBytes, byMakers].some((wanted) => Math.abs(sizeBytes - wanted) <= wanted * SIZE_TOLERANCE);
}

/** `/dev/sda`, `serial:...`, `size:480GB` (see `parseSize` of spec/units.ts), `smallest`, `largest`. `undefined` for anything else. */
export function parseChoice(
  text: string,
  parseSize: (text: string) => number | undefined,
): DiskChoice | undefined {
  if (text === 'smallest' || text === 'largest') return { by: text };
  if (/^\/dev\/[A-Za-z0-9]+$/.test(text)) return { by: 'path', path: text };
  const [, kind, value = ''] = /^(serial|size):(.+)$/.exec(text) ?? [];
  if (kind === 'serial') return { by: 'serial', serial: value };
  const sizeBytes = kind === 'size' ? parseSize(value) : undefined;
  return sizeBytes === undefined ? undefined : { by: 'size', sizeBytes };
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
      hint: 'start it from what `slipway export --format iso` makes',
    });
  const disk = chooseDisk(facts.disks, choice);
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
    throw new SlipwayError('install.unfit', `${describe(disk)} cannot be taken: ${faults.join('; ')}`);
  if (disk.hasData && overwrite !== 'wipe')
    throw new SlipwayError('install.holds-data', `${describe(disk)} holds data`, {
      hint: 'if all of it may go: slip install --overwrite wipe, or `overwrite: wipe` under `install:`; nothing was changed',
    });
  const sectorBytes = disk.sectorBytes === 4096 ? 4096 : 512;
  return {
    disk: { ...disk, sectorBytes },
    medium,
    lines: [
      `disk      ${describe(disk)}`,
      `becomes   ${image.name} ${image.version} (${image.architecture})`,
      `now       ${disk.hasData ? 'it holds data, and all of it is lost' : 'empty'}`,
    ],
  };
}

function chooseDisk(disks: readonly InstallDisk[], choice: DiskChoice): InstallDisk {
  const fitting = disks.filter((disk) => !disk.inUse && !disk.readOnly);
  const inner = fitting.filter(({ removable }) => !removable);
  const list = disks.map(describe).join('; ') || 'there is none';
  const matching = (): readonly InstallDisk[] => {
    switch (choice.by) {
      case 'path':
        return disks.filter(({ name }) => `/dev/${name}` === choice.path);
      case 'serial':
        return disks.filter(({ serial }) => serial === choice.serial);
      case 'size':
        return fitting.filter(({ sizeBytes }) => isAbout(sizeBytes, choice.sizeBytes));
      case 'smallest':
      case 'largest': {
        const large = inner.filter(({ sizeBytes }) => sizeBytes >= LEAST_DISK_BYTES);
        const wanted = (choice.by === 'smallest' ? Math.min : Math.max)(
          ...large.map(({ sizeBytes }) => sizeBytes),
        );
        return large.filter(({ sizeBytes }) => sizeBytes === wanted);
      }
    }
  };
  const [found, ...others] = matching();
  if (found === undefined)
    throw new SlipwayError('install.no-disk', 'there is no such disk', { hint: `disks: ${list}` });
  if (others.length > 0)
    throw new SlipwayError(
      'install.which-disk',
      `several disks are meant: ${[found, ...others].map(describe).join('; ')}`,
      {
        hint: 'name one by its path or serial number',
      },
    );
  return found;
}

function describe({ name, sizeBytes, model, serial }: InstallDisk): string {
  const details = [formatBytes(sizeBytes), model, serial === '' ? '' : `serial ${serial}`];
  return `/dev/${name} (${details.filter((each) => each !== '').join(', ')})`;
}
