/** Whether a machine can be taken over, and which of its disks. Pure: nothing is changed before all of it holds. */
import { chooseDisk, describeDisk, parseDiskChoice } from '../../spec/disk-choice.ts';
import { SlipwayError } from '../../spec/error.ts';
import type { Architecture } from '../../spec/image.ts';
import type { RemoteDisk, RemoteMachine } from './probe.ts';

/** What is to be installed. */
export interface TakeoverImage {
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture;
  readonly sectorSize: number;
  readonly diskBytes: number;
  /** What goes over the wire and is held in memory there. */
  readonly payloadBytes: number;
  /** Of the CA that signed; DER. */
  readonly trustAnchor: Uint8Array;
}

export interface TakeoverPlan {
  readonly disk: RemoteDisk;
  /** What the user should know, a line each. */
  readonly lines: readonly string[];
}

/** Room beside the payload for the programs, their memory, and what the old system needs to stay alive. */
const MEMORY_MARGIN_BYTES = 160 * 1024 ** 2;
const MIB = 1024 ** 2;
const NAME_ONE = 'name one: --disk /dev/sda, serial:S123, size:480GB, smallest, largest';

/** `choice`: as `slip install` takes it. Throws `install.unfit` with everything that speaks against it, `install.no-disk`, `install.which-disk`. */
export function planTakeover(
  machine: RemoteMachine,
  image: TakeoverImage,
  choice: string | undefined,
): TakeoverPlan {
  const disk = chosenDisk(machine.disks, choice, image.diskBytes);
  const faults = [
    ...(machine.isRoot ? [] : ['the login is not root’s']),
    ...(machine.architecture === image.architecture
      ? []
      : [`it is a ${machine.machine || 'machine of unknown kind'}, the image is for ${image.architecture}`]),
    ...(machine.efi ? [] : ['it was not started by UEFI, and Slipway starts by nothing else']),
    ...(machine.secureBoot && !machine.db.includes(Buffer.from(image.trustAnchor))
      ? [
          'its Secure Boot trusts other keys: it would refuse what is installed (enrol keys/*.auth, or turn it off)',
        ]
      : []),
    ...(machine.sysrq ? [] : ['its kernel has no /proc/sysrq-trigger']),
    ...(machine.memoryBytes >= image.payloadBytes + MEMORY_MARGIN_BYTES
      ? []
      : [
          `it has ${mib(machine.memoryBytes)} of memory free; ${mib(image.payloadBytes + MEMORY_MARGIN_BYTES)} are needed`,
        ]),
    ...diskFaults(disk, image),
  ];
  if (faults.length > 0)
    throw new SlipwayError('install.unfit', `${machine.host} cannot be taken over: ${faults.join('; ')}`, {
      hint: 'nothing was changed on it',
    });
  return {
    disk,
    lines: [
      `machine   ${machine.host}: ${machine.system}`,
      `disk      ${describeDisk(disk)}`,
      `mounted   ${disk.mounted.length === 0 ? 'nothing of it' : disk.mounted.join(', ')}`,
      `becomes   ${image.name} ${image.version}, and everything on the disk is lost`,
      `upload    ${(image.payloadBytes / 1e6).toFixed(1)} MB, held in memory there`,
    ],
  };
}

function diskFaults(disk: RemoteDisk, image: TakeoverImage): string[] {
  return [
    ...(disk.readOnly ? [`${disk.name} is read-only`] : []),
    ...(disk.sectorSize === image.sectorSize
      ? []
      : [
          `${disk.name} has sectors of ${disk.sectorSize} bytes, the image is for ${image.sectorSize} (disk.sector_size)`,
        ]),
    ...(disk.sizeBytes >= image.diskBytes
      ? []
      : [`${disk.name} has ${mib(disk.sizeBytes)}, the image needs ${mib(image.diskBytes)}`]),
  ];
}

/** Without a choice, the disk that the old system runs from: that the machine then starts from it is the best guess there is. */
function chosenDisk(
  disks: readonly RemoteDisk[],
  choice: string | undefined,
  leastBytes: number,
): RemoteDisk {
  if (choice !== undefined) {
    const parsed = parseDiskChoice(choice);
    if (parsed === undefined)
      throw new SlipwayError('install.no-disk', `${choice} names no disk`, { hint: NAME_ONE });
    return chooseDisk(disks, parsed, { isFree: ({ readOnly }) => !readOnly, leastBytes });
  }
  const roots = disks.filter(({ mounted }) => mounted.includes('/'));
  const [only, ...others] = roots.length > 0 ? roots : disks.filter(({ removable }) => !removable);
  if (only !== undefined && others.length === 0) return only;
  throw new SlipwayError(
    'install.which-disk',
    `it is not plain which disk is meant: ${disks.map(describeDisk).join('; ') || 'there is none'}`,
    { hint: NAME_ONE },
  );
}

function mib(bytes: number): string {
  return `${Math.floor(bytes / MIB)} MiB`;
}
