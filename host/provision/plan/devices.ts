/** Devices as people write them, and which disk or partition that is here. */
import type { MachineConfig } from '../config.ts';
import type { Content, DiskFacts, MachineFacts, PartitionFacts } from './facts.ts';

export interface Device {
  readonly disk: DiskFacts;
  /** `undefined`: the disk as a whole. */
  readonly partition?: PartitionFacts;
}

/** `/dev/vdb`, `vdb`, `/dev/disk/by-id/...` by its serial number, an alias, `alias.2`; the path, and what it is where that is known. */
export function findDevice(
  written: string,
  { deviceAliases }: MachineConfig,
  disks: MachineFacts['disks'],
): { readonly path: string; readonly device?: Device } {
  const [, base = written, suffix] = /^(.+)\.(\d{1,3})$/.exec(written) ?? [];
  const alias = deviceAliases.find(({ name }) => name.value === written);
  const numbered = deviceAliases.find(({ name }) => name.value === base);
  const name = alias?.device.value ?? numbered?.device.value ?? written;
  const path = name.startsWith('/') ? name : `/dev/${name}`;
  const [, serial, part] = /^\/dev\/disk\/by-id\/(.+?)(?:-part(\d{1,3}))?$/.exec(path) ?? [];
  const number = alias === undefined && numbered !== undefined ? suffix : part;
  for (const disk of disks) {
    const isIt =
      disk.path === path ||
      (serial !== undefined &&
        disk.serial !== null &&
        new RegExp('(^|[-_])$').test(serial.slice(0, -disk.serial.length)) &&
        serial.endsWith(disk.serial));
    if (isIt && number === undefined) return { path: disk.path, device: { disk } };
    if (isIt) {
      const partition = disk.partitions.find((one) => one.number === Number(number));
      const at = partitionPath(disk.path, Number(number));
      return partition === undefined ? { path: at } : { path: at, device: { disk, partition } };
    }
    const partition = disk.partitions.find((one) => one.path === path);
    if (partition !== undefined) return { path, device: { disk, partition } };
  }
  return { path };
}

/** `/dev/vdb1`, `/dev/nvme0n1p1`. */
export function partitionPath(disk: string, number: number): string {
  return `${disk}${/\d$/.test(disk) ? 'p' : ''}${number}`;
}

/** For people. */
export function describeContent(content: Content): string {
  if (content.kind === 'empty') return 'nothing';
  if (content.kind === 'data') return 'data of an unknown kind';
  return content.label === '' ? content.type : `${content.type} with the label '${content.label}'`;
}

export const OWN_DISK = 'this machine runs from that disk: it is never touched';
