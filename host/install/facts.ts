/** What an installation starts from: the medium that this machine runs from, and its disks. */
import type { Architecture } from '../../spec/image.ts';
import { MACHINE_PATHS, type MachineDescription } from '../../spec/machine.ts';
import { runProgram } from '../../system/program.ts';
import type { System } from '../../system/system.ts';

export type SectorBytes = 512 | 4096;

export interface InstallDisk {
  /** `sda` */
  readonly name: string;
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly readOnly: boolean;
  readonly removable: boolean;
  readonly serial: string;
  readonly model: string;
  /** It is what this machine runs from, or something of it is mounted or held open. */
  readonly inUse: boolean;
  /**
   * Something stands at its beginning or its end, where tables and file systems announce themselves. Not what an interrupted installation left:
   * whoever began it was allowed to.
   */
  readonly hasData: boolean;
}

export interface InstallFacts {
  readonly image: MachineDescription['image'];
  readonly architecture: Architecture;
  /** `undefined`: this machine runs from its own disk, or from a medium that holds nothing to install. */
  readonly medium: Medium | undefined;
  readonly disks: readonly InstallDisk[];
}

export interface Medium {
  /** The verified root, as a device; what is read from it is what was signed. */
  readonly root: string;
  /** Its table, as `dmsetup table` prints it. */
  readonly table: string;
  readonly verity: string;
  /** A tar of the ESP's files. */
  readonly esp: string;
}

/** Lies in the first MiB of a disk from when its table was cleared until the new one is there. */
export const UNFINISHED = {
  offset: 512 * 1024,
  text: 'slipway: an installation that has not come to its end\n',
} as const;

const BOOT = `${MACHINE_PATHS.runtime}/boot`;
const PROBED_BYTES = 1024 * 1024;
const SECTOR_BYTES = 512;
const PIECE_BYTES = 64 * 1024;
const NO_DISK = /^(loop|ram|zram|dm-|md|sr|fd|nbd)/;

export async function readFacts(system: System): Promise<InstallFacts> {
  const { image } = JSON.parse(system.readText(MACHINE_PATHS.description) ?? '{}') as MachineDescription;
  const own = line(system, `${BOOT}/disk`).replace('/dev/', '');
  const mounted = line(system, '/proc/mounts');
  const disks: InstallDisk[] = [];
  for (const name of system.list('/sys/block')) {
    const disk = NO_DISK.test(name) ? undefined : readDisk(system, name, own, mounted);
    if (disk !== undefined) disks.push(disk);
  }
  return {
    image,
    architecture: image.architecture === 'arm64' ? 'arm64' : 'amd64',
    medium: await readMedium(system),
    disks,
  };
}

function readDisk(system: System, name: string, own: string, mounted: string): InstallDisk | undefined {
  const folder = `/sys/block/${name}`;
  const sectors = Number(line(system, `${folder}/size`));
  if (!(sectors > 0)) return undefined;
  const sizeBytes = sectors * 512;
  const device = `/dev/${name}`;
  const parts = [name, ...system.list(folder).filter((each) => each.startsWith(name))];
  const isHeld = parts.some((part) => system.list(`/sys/class/block/${part}/holders`).length > 0);
  const isMounted = parts.some((part) => new RegExp(`^/dev/${part} `, 'm').test(mounted));
  return {
    name,
    sizeBytes,
    sectorBytes: Number(line(system, `${folder}/queue/logical_block_size`)),
    readOnly: line(system, `${folder}/ro`) === '1',
    removable: line(system, `${folder}/removable`) === '1',
    serial: readSerial(system, folder),
    model: line(system, `${folder}/device/model`),
    inUse: name === own || isHeld || isMounted,
    hasData: holdsData(system, device, sizeBytes),
  };
}

/** NVMe, virtio; SATA, SAS and USB tell it in SCSI's page 80h (SPC-5, 7.7.19): four bytes, then text. */
function readSerial(system: System, folder: string): string {
  const text = line(system, `${folder}/device/serial`) || line(system, `${folder}/serial`);
  if (text !== '') return text;
  const fd = system.open(`${folder}/device/vpd_pg80`, { access: 'read' });
  if (fd < 0) return '';
  const page = system.readAt(fd, 0, 260);
  system.close(fd);
  const bytes = page === 'failed' ? [] : [...page.subarray(4)];
  return String.fromCharCode(...bytes.filter((byte) => byte > 0x1f && byte < 0x7f)).trim();
}

/** An installer's mark counts where the table is still zeros: with it, what the end of the disk holds is the copy of the table that was to come. */
function holdsData(system: System, device: string, sizeBytes: number): boolean {
  const length = Math.min(PROBED_BYTES, sizeBytes);
  const end = sizeBytes - length;
  if (!isMarked(system, device))
    return !isZero(system, device, 0, length) || !isZero(system, device, end, length);
  const behind = UNFINISHED.offset + SECTOR_BYTES;
  return !isZero(system, device, 0, UNFINISHED.offset) || !isZero(system, device, behind, length - behind);
}

function isMarked(system: System, device: string): boolean {
  const fd = system.open(device, { access: 'read' });
  if (fd < 0) return false;
  const mark = system.encode(UNFINISHED.text);
  const found = system.readAt(fd, UNFINISHED.offset, mark.length);
  system.close(fd);
  return found !== 'failed' && found.length === mark.length && mark.every((byte, at) => found[at] === byte);
}

/** What cannot be read may hold anything. By words: a program that compares bytes takes ten times as long where machines are emulated. */
function isZero(system: System, device: string, offset: number, length: number): boolean {
  const fd = system.open(device, { access: 'read' });
  if (fd < 0) return false;
  try {
    for (let at = offset; at < offset + length; at += PIECE_BYTES) {
      const bytes = system.readAt(fd, at, Math.min(PIECE_BYTES, offset + length - at));
      if (bytes === 'failed' || bytes.length === 0) return false;
      const words = new Uint32Array(bytes.slice().buffer, 0, bytes.length >>> 2);
      for (const word of words) if (word !== 0) return false;
    }
    return true;
  } finally {
    system.close(fd);
  }
}

async function readMedium(system: System): Promise<Medium | undefined> {
  const [verity, esp] = [line(system, `${BOOT}/live-verity`), line(system, `${BOOT}/live-esp`)];
  const root = /^(\/dev\/dm-\d+) \/ /m.exec(system.readText('/proc/mounts') ?? '')?.[1];
  if (verity === '' || esp === '' || root === undefined) return undefined;
  const { code, stdout } = await runProgram(system, ['/usr/sbin/dmsetup', 'table', 'root']);
  return code === 0 ? { root, verity, esp, table: system.decode(stdout).trim() } : undefined;
}

function line(system: System, path: string): string {
  return (system.readText(path) ?? '').trim();
}
