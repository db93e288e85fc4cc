/** Block devices that are not the machine's own disk, and the file systems on them that provisioning data comes on. */
import { SlipwayError } from '../../../../spec/error.ts';
import type { System } from '../../../../system/system.ts';
import { damaged, type ReadBytes, type Volume } from './bytes.ts';
import { openFat } from './fat.ts';
import { openIso9660 } from './iso9660.ts';
import { openUdf } from './udf.ts';

export interface Medium extends Volume {
  /** `/dev/vdb` */
  readonly path: string;
  /** The disk that it is, or is a part of: `vdb`. */
  readonly disk: string;
}

const BLOCK = '/sys/class/block';
/** What the boot scripts wrote: `/dev/vda`. */
const OWN_DISK = '/run/slipway/boot/disk';
/** In memory, made of other devices, or so slow to ask that it would be felt. */
const NOT_LOOKED_AT = /^(?:loop|ram|zram|dm-|md|fd|nbd|mtdblock|pmem)/;
const SECTOR_BYTES = 512;
/** In this order: a disc may hold both of the first two, and then only UDF has the names as they were. */
const FILE_SYSTEMS = [openUdf, openIso9660, openFat];

/**
 * Calls back with each medium until the answer is not `undefined`. A medium can be read during the call only. One that cannot be opened (a drive
 * without a disc), or holds nothing that is known, is passed over.
 */
export function eachMedium<Result>(
  system: System,
  visit: (medium: Medium) => Result | undefined,
): Result | undefined {
  for (const { name, disk, sizeBytes } of blockDevices(system)) {
    const path = `/dev/${name}`;
    const fd = system.open(path, { access: 'read' });
    if (fd < 0) continue;
    try {
      const volume = openVolume(readerOf(system, fd, sizeBytes), sizeBytes);
      const result = volume === undefined ? undefined : visit({ ...volume, path, disk });
      if (result !== undefined) return result;
    } finally {
      system.close(fd);
    }
  }
  return undefined;
}

/**
 * Whether a medium that was read once (`origin`: `/dev/sr0 (cidata)`) cannot be seen now: taken out with its drive, or behind a controller whose driver
 * nothing has asked for yet.
 */
export function isOutOfSight(system: System, origin: string): boolean {
  const device = /^\/dev\/\w+(?= |$)/.exec(origin)?.[0];
  return device !== undefined && system.status(device) === undefined;
}

interface BlockDevice {
  readonly name: string;
  readonly disk: string;
  readonly sizeBytes: number;
}

/** Whole disks before their partitions; by name. */
export function blockDevices(system: System): readonly BlockDevice[] {
  const own = system.readText(OWN_DISK)?.trim().replace('/dev/', '');
  return system
    .list(BLOCK)
    .filter((name) => !NOT_LOOKED_AT.test(name))
    .map((name) => ({
      name,
      disk: diskOf(system, name),
      sizeBytes: Number(system.readText(`${BLOCK}/${name}/size`) ?? '0') * SECTOR_BYTES,
    }))
    .filter(({ disk, sizeBytes }) => disk !== own && sizeBytes > 0)
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** A partition's link goes through its disk: `.../block/vdb/vdb1`. */
function diskOf(system: System, name: string): string {
  if (system.status(`${BLOCK}/${name}/partition`) === undefined) return name;
  return system.readLink(`${BLOCK}/${name}`)?.split('/').at(-2) ?? name;
}

function readerOf(system: System, fd: number, sizeBytes: number): ReadBytes {
  return (offset, length) => {
    if (offset < 0 || offset + length > sizeBytes) throw damaged('it points behind its end');
    const bytes = system.readAt(fd, offset, length);
    if (bytes === 'failed' || bytes.length !== length)
      throw new SlipwayError('provision.medium', 'the medium cannot be read');
    return bytes;
  };
}

/** A medium whose first look fails is as good as none: it may be anything. */
function openVolume(read: ReadBytes, sizeBytes: number): Volume | undefined {
  for (const open of FILE_SYSTEMS) {
    try {
      const volume = open(read, sizeBytes);
      if (volume !== undefined) return volume;
    } catch (error) {
      if (!(error instanceof SlipwayError)) throw error;
    }
  }
  return undefined;
}
