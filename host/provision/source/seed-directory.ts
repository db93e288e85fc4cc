/** NoCloud's seed directory: what an installer put on the state partition. docs/datasources/nocloud.md */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { present, readDocument } from './files.ts';
import type { Documents, Seed } from './found.ts';

export function lookAtSeedDirectory(system: System): Seed | undefined {
  const { seed: folder } = PROVISIONING_PATHS;
  if (system.status(folder) === undefined) return undefined;
  const read = (name: string): Uint8Array | undefined => readDocument(system, `${folder}/${name}`);
  const documents: Documents = present({
    userData: read('user-data'),
    rawMetaData: read('meta-data'),
    vendorData: read('vendor-data'),
    networkConfig: read('network-config'),
  });
  if (Object.keys(documents).length === 0) return undefined;
  return { source: 'nocloud', origin: folder, documents, notes: [] };
}
