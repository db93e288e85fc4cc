/** NoCloud's seed directory: what an installer put on the state partition. docs/datasources/nocloud.md */
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { readDocuments } from './files.ts';
import type { Seed } from './found.ts';

export function lookAtSeedDirectory(system: System): Seed | undefined {
  const { seed: folder } = PROVISIONING_PATHS;
  if (system.status(folder) === undefined) return undefined;
  const documents = readDocuments(system, (name) => `${folder}/${name}`);
  return documents === undefined ? undefined : { source: 'nocloud', origin: folder, documents, notes: [] };
}
