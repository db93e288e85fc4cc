/** QEMU's fw_cfg device: `-fw_cfg name=opt/org.slipway/user-data,file=...`. docs/datasources/qemu.md */
import type { System } from '../../../system/system.ts';
import { present, readDocument } from './files.ts';
import type { Documents, Seed } from './found.ts';

/** There once the module qemu_fw_cfg is loaded, which `sysinit` does where the device is. */
const FOLDER = '/sys/firmware/qemu_fw_cfg/by_name/opt/org.slipway';

export function lookAtFirmwareConfig(system: System): Seed | undefined {
  if (system.status(FOLDER) === undefined) return undefined;
  const read = (name: string): Uint8Array | undefined => readDocument(system, `${FOLDER}/${name}/raw`);
  // The file with keys alone (ssh-authorized-keys) is slipd's, and makes no datasource.
  const documents: Documents = present({
    userData: read('user-data'),
    rawMetaData: read('meta-data'),
    vendorData: read('vendor-data'),
    networkConfig: read('network-config'),
  });
  if (Object.keys(documents).length === 0) return undefined;
  return { source: 'qemu', origin: 'QEMU fw_cfg', documents, notes: [] };
}
