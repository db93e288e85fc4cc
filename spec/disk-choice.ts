/** Which of a machine's disks is meant, in the words of `slip install`, `install:` and `slipway install --disk`. Pure. */
import { SlipwayError } from './error.ts';
import { parseSize } from './units.ts';

export type DiskChoice =
  | { readonly by: 'path'; readonly path: string }
  | { readonly by: 'serial'; readonly serial: string }
  | { readonly by: 'size'; readonly sizeBytes: number }
  | { readonly by: 'smallest' | 'largest' };

export interface DiskCandidate {
  /** `sda` */
  readonly name: string;
  readonly sizeBytes: number;
  readonly removable: boolean;
  /** '' where it tells none. */
  readonly serial: string;
  readonly model: string;
}

export interface ChoiceRules<Disk> {
  /** Asked for where no disk is named: one that may be taken at all. */
  readonly isFree: (disk: Disk) => boolean;
  /** `smallest` and `largest` pass over anything smaller. */
  readonly leastBytes: number;
}

/** Makers of disks count in thousands, everybody else here in 1024; and no disk has exactly what it says. */
const SIZE_TOLERANCE = 0.02;
const TIB = 1024 ** 4;

/** `/dev/sda`, `serial:...`, `size:480GB` (see `parseSize`), `smallest`, `largest`. `undefined` for anything else. */
export function parseDiskChoice(text: string): DiskChoice | undefined {
  if (text === 'smallest' || text === 'largest') return { by: text };
  if (/^\/dev\/[A-Za-z0-9]+$/.test(text)) return { by: 'path', path: text };
  const [, kind, value = ''] = /^(serial|size):(.+)$/.exec(text) ?? [];
  if (kind === 'serial') return { by: 'serial', serial: value };
  const sizeBytes = kind === 'size' ? parseSize(value) : undefined;
  return sizeBytes === undefined ? undefined : { by: 'size', sizeBytes };
}

/** Throws `install.no-disk`, and `install.which-disk` where several are meant: of two like disks neither is guessed. */
export function chooseDisk<Disk extends DiskCandidate>(
  disks: readonly Disk[],
  choice: DiskChoice,
  rules: ChoiceRules<Disk>,
): Disk {
  const [found, ...others] = matching(disks, choice, rules);
  if (found === undefined)
    throw new SlipwayError('install.no-disk', `there is no such disk: ${choiceText(choice)}`, {
      hint: `disks: ${disks.map(describeDisk).join('; ') || 'there is none'}`,
    });
  if (others.length > 0)
    throw new SlipwayError(
      'install.which-disk',
      `several disks are meant: ${[found, ...others].map(describeDisk).join('; ')}`,
      { hint: 'name one by its path or serial number' },
    );
  return found;
}

/** `/dev/sda (480.1 GB, Fast Disk, serial S1)` */
export function describeDisk({ name, sizeBytes, model, serial }: DiskCandidate): string {
  const details = [`${(sizeBytes / 1e9).toFixed(1)} GB`, model, serial === '' ? '' : `serial ${serial}`];
  return `/dev/${name} (${details.filter((each) => each !== '').join(', ')})`;
}

function matching<Disk extends DiskCandidate>(
  disks: readonly Disk[],
  choice: DiskChoice,
  { isFree, leastBytes }: ChoiceRules<Disk>,
): readonly Disk[] {
  switch (choice.by) {
    case 'path':
      return disks.filter(({ name }) => `/dev/${name}` === choice.path);
    case 'serial':
      return disks.filter(({ serial }) => serial === choice.serial);
    case 'size':
      return disks.filter((disk) => isFree(disk) && isAbout(disk.sizeBytes, choice.sizeBytes));
    case 'smallest':
    case 'largest': {
      const large = disks.filter((disk) => isFree(disk) && !disk.removable && disk.sizeBytes >= leastBytes);
      const wanted = (choice.by === 'smallest' ? Math.min : Math.max)(
        ...large.map(({ sizeBytes }) => sizeBytes),
      );
      return large.filter(({ sizeBytes }) => sizeBytes === wanted);
    }
  }
}

function isAbout(sizeBytes: number, wantedBytes: number): boolean {
  const byMakers = wantedBytes * (1000 / 1024) ** (wantedBytes >= TIB ? 4 : 3);
  return [wantedBytes, byMakers].some((wanted) => Math.abs(sizeBytes - wanted) <= wanted * SIZE_TOLERANCE);
}

function choiceText(choice: DiskChoice): string {
  switch (choice.by) {
    case 'path':
      return choice.path;
    case 'serial':
      return `serial:${choice.serial}`;
    case 'size':
      return `size:${choice.sizeBytes}`;
    case 'smallest':
    case 'largest':
      return choice.by;
  }
}
