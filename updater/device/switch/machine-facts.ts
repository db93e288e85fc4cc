/** What requirements.ts judges by, read from this machine. */
import type { System } from '../../../system/system.ts';
import { VENDORS, type BootDisk } from './boot-disk.ts';
import { partitionDevice, slotDevices } from './machine-parts.ts';
import { loadRecord } from './record-store.ts';
import type { MachineFacts } from './requirements.ts';
import { parseSignatureLists, type TrustedSigners } from './signature-list.ts';

const MEBIBYTE = 1024 * 1024;

export async function machineFacts(system: System, disk: BootDisk): Promise<MachineFacts> {
  const slots = [slotDevices(system, 'a'), slotDevices(system, 'b')];
  const trees = slots.map(({ verityDevice }) => deviceBytes(system, verityDevice));
  return {
    memoryMiB: memoryMiB(system.readText('/proc/iomem') ?? '', system.readText('/proc/meminfo') ?? ''),
    layoutVersion: layoutVersion(system),
    stateVersion: (await loadRecord(disk)).stateVersion,
    dataBytes: Math.min(...slots.map(({ sizeBytes }) => sizeBytes)),
    treeBytes: Math.min(...trees),
    trusted: await trustedSigners(disk),
  };
}

/** `undefined` where the firmware starts anything. */
export async function trustedSigners(disk: BootDisk): Promise<TrustedSigners | undefined> {
  const enabled = await disk.readVariable({ name: 'SecureBoot', vendor: VENDORS.firmware });
  if (enabled?.[0] !== 1) return undefined;
  const lists = async (name: string): Promise<TrustedSigners['db']> => {
    const bytes = await disk.readVariable({ name, vendor: VENDORS.signatures });
    return bytes === undefined ? [] : parseSignatureLists(bytes);
  };
  return { db: await lists('db'), dbx: await lists('dbx') };
}

/** What encrypts it opens by the firmware's variables (PCR 7), which an update of keys would change. */
export function isStateEncrypted(system: System): boolean {
  const mounts = system.readText('/proc/mounts') ?? '';
  return /^\/dev\/(dm-\d+|mapper\/\S+) \/var /m.test(mounts);
}

/** Everything that the firmware called memory; where the kernel does not show addresses, what it has for programs. */
export function memoryMiB(iomem: string, meminfo: string): number {
  const ranges = [...iomem.matchAll(/^([0-9a-f]+)-([0-9a-f]+) : System RAM$/gm)];
  const bytes = ranges.reduce((sum, [, from, to]) => sum + parseInt(to!, 16) - parseInt(from!, 16) + 1, 0);
  if (bytes > MEBIBYTE) return Math.round(bytes / MEBIBYTE);
  return Math.round(Number(/^MemTotal:\s+(\d+) kB/m.exec(meminfo)?.[1] ?? '0') / 1024);
}

/** The builder wrote `slipway layout <version>` at the start of a partition of its own. */
function layoutVersion(system: System): number | undefined {
  const fd = system.open(partitionDevice(system, 'slipway-reserved'), { access: 'read' });
  if (fd < 0) return undefined;
  const bytes = system.readAt(fd, 0, 64);
  system.close(fd);
  const found = bytes === 'failed' ? null : /^slipway layout (\d{1,4})\n/.exec(system.decode(bytes));
  return found === null ? undefined : Number(found[1]);
}

function deviceBytes(system: System, device: string): number {
  return (
    Number(system.readText(`/sys/class/block/${device.slice('/dev/'.length)}/size`)?.trim() ?? '0') * 512
  );
}
