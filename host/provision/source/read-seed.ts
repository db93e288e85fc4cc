/** From the documents of an offline source to what the rest of provisioning needs of them. */
import type { System } from '../../../system/system.ts';
import { readDmi } from './dmi.ts';
import type { Found, Json, Seed } from './found.ts';
import { isMap, metaDataOf, parseMetaData, platformFacts, publicKeysOf, textOf } from './meta-data.ts';
import { describeOpenstack } from './openstack-data.ts';
import { decoded } from './vmware.ts';

/** Where a source names no instance: cloud-init's word. */
export const NO_INSTANCE = 'nocloud';

/**
 * `undefined` when it sends on to the network (`seedfrom`, `cloud-config-url=`), which `findOnline` follows.
 * Throws SlipwayError `provision.meta-data`.
 */
export async function readSeed(system: System, seed: Seed): Promise<Found | undefined> {
  if (seedAddress(system, seed) !== undefined) return undefined;
  if (seed.source === 'openstack') return { ...describeOpenstack(system, seed), seed: seed.documents };
  const { userData, vendorData, rawMetaData } = seed.documents;
  const raw = parseMetaData(system, rawMetaData, 'meta-data');
  const networkConfig =
    seed.documents.networkConfig ??
    (seed.source === 'vmware' ? await networkOf(system, raw['network'], raw['network.encoding']) : undefined);
  const localHostname = seed.line?.localHostname ?? textOf(raw['local-hostname']) ?? textOf(raw['hostname']);
  const fallback = seed.source === 'vmware' ? readDmi(system).productUuid.toLowerCase() : '';
  const instanceId =
    seed.line?.instanceId ??
    textOf(raw['instance-id']) ??
    textOf(raw['instance_id']) ??
    (fallback || NO_INSTANCE);
  const facts = platformFacts(seed.source === 'vmware' ? 'vmware' : 'nocloud', {
    region: textOf(raw['region']),
    availabilityZone: textOf(raw['availability-zone'] ?? raw['availability_zone']),
  });
  const publicKeys = publicKeysOf(raw['public-keys'] ?? raw['public_keys'] ?? raw['public-keys-data']);
  return {
    source: seed.source,
    origin: seed.origin,
    instanceId,
    ...(userData === undefined ? {} : { userData }),
    ...(vendorData === undefined ? {} : { vendorData }),
    ...(networkConfig === undefined ? {} : { networkConfig }),
    ...(rawMetaData === undefined ? {} : { rawMetaData }),
    metaData: metaDataOf({ facts, instanceId, localHostname, publicKeys, raw }),
    platformFacts: facts,
    seed: seed.documents,
    notes: seed.notes,
  };
}

/** Where a seed sends on to. */
export function seedAddress(system: System, seed: Seed): string | undefined {
  if (seed.configUrl !== undefined) return seed.configUrl;
  if (seed.line?.seedFrom !== undefined) return seed.line.seedFrom;
  if (seed.source !== 'nocloud') return undefined;
  return textOf(parseMetaData(system, seed.documents.rawMetaData, 'meta-data')['seedfrom']);
}

/** VMware has the network's configuration within its meta-data: as a map, or as packed text. */
async function networkOf(
  system: System,
  network: Json | undefined,
  encoding: Json | undefined,
): Promise<Uint8Array | undefined> {
  if (isMap(network)) return system.encode(JSON.stringify(network));
  if (typeof network !== 'string') return undefined;
  return decoded(system, 'network', system.encode(network), textOf(encoding) ?? 'base64');
}
