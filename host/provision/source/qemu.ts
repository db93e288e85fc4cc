/** QEMU's fw_cfg device: `-fw_cfg name=opt/org.slipway/user-data,file=...`. docs/datasources/qemu.md */
import type { System } from '../../../system/system.ts';
import { readDocuments } from './files.ts';
import type { Seed } from './found.ts';

/** There once the module qemu_fw_cfg is loaded, which `sysinit` does where the device is. */
const FOLDER = '/sys/firmware/qemu_fw_cfg/by_name/opt/org.slipway';

export function lookAtFirmwareConfig(system: System): Seed | undefined {
  if (system.status(FOLDER) === undefined) return undefined;
  // The file with keys alone (ssh-authorized-keys) is slipd's, and makes no datasource.
  const documents = readDocuments(system, (name) => `${FOLDER}/${name}/raw`);
  return documents === undefined
    ? undefined
    : { source: 'qemu', origin: 'QEMU fw_cfg', documents, notes: [] };
}
