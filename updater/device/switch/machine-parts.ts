/** Where the parts of the switch are on this machine: what the signed initrd found, and the partitions of its disk. */
import { SlipwayError } from '../../../spec/error.ts';
import { PARTITIONS, type PartitionName } from '../../../spec/layout.ts';
import { MACHINE_PATHS, type MachineDescription } from '../../../spec/machine.ts';
import type { System } from '../../../system/system.ts';
import type { RunningVersion, SlotName } from './facts.ts';

const BOOT = `${MACHINE_PATHS.runtime}/boot`;
const BLOCK = '/sys/class/block';

/** One of the facts that /init left. */
export function bootFact(system: System, name: string): string | undefined {
  return system.readText(`${BOOT}/${name}`)?.trim();
}

/** Throws `switch.facts` where the machine was not started by Slipway's initrd. */
export function readRunning(system: System): RunningVersion {
  const text = system.readText(MACHINE_PATHS.description);
  const rootHash = bootFact(system, 'root-hash');
  const slot = bootFact(system, 'slot');
  if (text === undefined || rootHash === undefined || (slot !== 'a' && slot !== 'b'))
    throw new SlipwayError('switch.facts', 'it is not known which version runs');
  const { image } = JSON.parse(text) as MachineDescription;
  return {
    image: image.name,
    version: image.version,
    architecture: image.architecture,
    rootHash,
    slot,
    trial: bootFact(system, 'trial') === '1',
  };
}

/** Device of a partition on the disk that this machine was started from: another disk may have the same labels. */
export function partitionDevice(system: System, name: PartitionName): string {
  const disk = bootFact(system, 'disk')?.replace(/^\/dev\//, '');
  if (disk !== undefined && /^[\w!.-]+$/.test(disk)) {
    for (const entry of system.list(`${BLOCK}/${disk}`)) {
      const uevent = entry.startsWith(disk) ? system.readText(`${BLOCK}/${disk}/${entry}/uevent`) : undefined;
      if (uevent === undefined || field(uevent, 'PARTNAME') !== name) continue;
      const device = field(uevent, 'DEVNAME');
      if (device !== undefined) return `/dev/${device}`;
    }
  }
  throw new SlipwayError('switch.partition', `the disk has no partition ${name}`, {
    hint: `there should be: ${PARTITIONS.map((partition) => partition.name).join(', ')}`,
  });
}

/** What the payload is written to. */
export interface SlotDevices {
  readonly slot: SlotName;
  readonly dataDevice: string;
  readonly verityDevice: string;
  /** Of the data partition. */
  readonly sizeBytes: number;
}

export function slotDevices(system: System, slot: SlotName): SlotDevices {
  const dataDevice = partitionDevice(system, `root-${slot}`);
  const sectors = Number(system.readText(`${BLOCK}/${dataDevice.slice('/dev/'.length)}/size`)?.trim() ?? '0');
  return {
    slot,
    dataDevice,
    verityDevice: partitionDevice(system, `verity-${slot}`),
    sizeBytes: sectors * 512,
  };
}

function field(uevent: string, key: string): string | undefined {
  return new RegExp(`^${key}=(.*)$`, 'm').exec(uevent)?.[1];
}
