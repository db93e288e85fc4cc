/** The disks of this machine as the plan sees them: what /sys says, and what stands on them. */
import type { System } from '../../../system/system.ts';
import type { Content, DiskFacts, PartitionFacts } from '../plan/facts.ts';
import { readTable, tableHeadBytes } from './partition-table.ts';
import { probeContent } from './probe.ts';
import { unfinished } from './writing.ts';

const BLOCK = '/sys/class/block';
const OWN_DISK = '/run/slipway/boot/disk';
/** In memory, made of others, or of no use here. */
const NOT_DISKS = /^(loop|ram|zram|dm-|md|fd|nbd|mtdblock|sr)/;
const SECTOR_BYTES = 512;

/** Sorted by name. Without `/run/slipway/boot/disk` every disk counts as our own: then nothing is touched. */
export function readDisks(system: System): readonly DiskFacts[] {
  const own = system.readText(OWN_DISK)?.trim();
  const used = devicesInUse(system);
  return system
    .list(BLOCK)
    .filter((name) => !NOT_DISKS.test(name) && system.status(`${BLOCK}/${name}/partition`) === undefined)
    .sort()
    .flatMap((name) => {
      const disk = readDisk(system, name, own, used);
      return disk === undefined ? [] : [disk];
    });
}

/** What a device holds now. `data` where it cannot be read. */
export function contentOf(system: System, path: string): Content {
  const size = deviceBytes(system, path);
  const fd = system.open(path, { access: 'read' });
  if (fd < 0) return { kind: 'data' };
  try {
    return probeContent((offset, length) => {
      const bytes = system.readAt(fd, offset, length);
      if (bytes === 'failed' || bytes.length !== length) throw new Error('unreadable');
      return bytes;
    }, size);
  } catch {
    return { kind: 'data' };
  } finally {
    system.close(fd);
  }
}

export function deviceBytes(system: System, path: string): number {
  return Number(system.readText(`${BLOCK}/${path.replace('/dev/', '')}/size`)?.trim() ?? '0') * SECTOR_BYTES;
}

/** Mounted, swapped to, or below another device. */
export function devicesInUse(system: System): ReadonlySet<string> {
  const mounted = (system.readText('/proc/mounts') ?? '').split('\n').map((line) => line.split(' ')[0] ?? '');
  const swapped = (system.readText('/proc/swaps') ?? '').split('\n').map((line) => line.split(/\s/)[0] ?? '');
  const held = system
    .list(BLOCK)
    .filter((name) => system.list(`${BLOCK}/${name}/holders`).length > 0)
    .map((name) => `/dev/${name}`);
  return new Set([...mounted, ...swapped, ...held].filter((path) => path.startsWith('/dev/')));
}

function readDisk(
  system: System,
  name: string,
  own: string | undefined,
  used: ReadonlySet<string>,
): DiskFacts | undefined {
  const path = `/dev/${name}`;
  const sizeBytes = deviceBytes(system, path);
  if (sizeBytes === 0) return undefined;
  const number = (file: string): number => Number(system.readText(`${BLOCK}/${name}/${file}`)?.trim() ?? '0');
  const sectorBytes = number('queue/logical_block_size') || SECTOR_BYTES;
  const serial =
    system.readText(`${BLOCK}/${name}/serial`)?.trim() ??
    system.readText(`${BLOCK}/${name}/device/serial`)?.trim();
  const isOwn = own === undefined || own === path;
  const fd = isOwn ? -1 : system.open(path, { access: 'read' });
  const head = fd < 0 ? undefined : system.readAt(fd, 0, Math.min(tableHeadBytes(sectorBytes), sizeBytes));
  if (fd >= 0) system.close(fd);
  const table = head === undefined || head === 'failed' ? undefined : readTable(head, sectorBytes);
  const partitions = readPartitions(system, name, sectorBytes, table, isOwn, used);
  const whole: Content = isOwn || table !== undefined ? { kind: 'data' } : contentOf(system, path);
  return {
    path,
    serial: serial === undefined || serial === '' ? null : serial,
    sizeBytes,
    sectorBytes,
    own: isOwn,
    readOnly: number('ro') === 1,
    inUse: used.has(path),
    table: table === undefined ? null : { kind: table.kind, id: table.id },
    // What a power cut interrupted is ours to begin again.
    content: unfinished(system, path) ? { kind: 'empty' } : whole,
    partitions,
  };
}

function readPartitions(
  system: System,
  disk: string,
  sectorBytes: number,
  table: ReturnType<typeof readTable>,
  isOwn: boolean,
  used: ReadonlySet<string>,
): readonly PartitionFacts[] {
  return system
    .list(`${BLOCK}/${disk}`)
    .filter((name) => system.status(`${BLOCK}/${disk}/${name}/partition`) !== undefined)
    .map((name): PartitionFacts => {
      const path = `/dev/${name}`;
      const number = (file: string): number =>
        Number(system.readText(`${BLOCK}/${disk}/${name}/${file}`)?.trim() ?? '0');
      const index = number('partition');
      return {
        number: index,
        path,
        startSector: (number('start') * SECTOR_BYTES) / sectorBytes,
        sectors: (number('size') * SECTOR_BYTES) / sectorBytes,
        type: table?.partitions.find((entry) => entry.number === index)?.type ?? '',
        inUse: used.has(path),
        content: isOwn
          ? { kind: 'data' }
          : unfinished(system, path)
            ? { kind: 'empty' }
            : contentOf(system, path),
      };
    })
    .sort((a, b) => a.number - b.number);
}
