/** What this machine was told on the medium, the new system is told, too: NoCloud's seed directory on its state. */
import { SlipwayError } from '../../spec/error.ts';
import { PROVISIONING_PATHS } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { readPolicy } from '../provision/policy.ts';
import { readAdopted, readRecord } from '../provision/store/adopted.ts';

/** `folder`: where the new state is mounted, which is /var of the new system. */
export function carryConfiguration(system: System, folder: string): void {
  const policy = readPolicy(system);
  const record = policy === undefined ? undefined : readRecord(system, policy);
  const found = record === undefined ? undefined : readAdopted(system, record);
  if (found === undefined) return;
  const { userData, vendorData, networkConfig, instanceId, metaData } = found;
  // Whatever its source called them; JSON is YAML.
  const meta = {
    'instance-id': instanceId,
    ...(metaData.localHostname === undefined ? {} : { 'local-hostname': metaData.localHostname }),
    'public-keys': metaData.publicKeys,
  };
  const documents = {
    'user-data': userData,
    'vendor-data': vendorData,
    'network-config': networkConfig,
    'meta-data': system.encode(`${JSON.stringify(meta)}\n`),
  };
  const seed = `${folder}${PROVISIONING_PATHS.seed.replace(/^\/var/, '')}`;
  const made = system.makeDirectory(seed, 0o700);
  for (const [name, bytes] of Object.entries(documents))
    if (bytes !== undefined && !(made && writeNew(system, `${seed}/${name}`, bytes)))
      throw new SlipwayError('install.carry', 'the configuration cannot be written into the new state');
}

function writeNew(system: System, path: string, bytes: Uint8Array): boolean {
  const fd = system.open(path, { access: 'write', create: { mode: 0o600, exclusive: true } });
  if (fd < 0) return false;
  const done = system.writeAt(fd, 0, bytes);
  system.close(fd);
  return done;
}
