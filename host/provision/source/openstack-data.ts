/** What OpenStack's files say, from a config drive or over HTTP. */
import type { System } from '../../../system/system.ts';
import type { Found, Json, Seed } from './found.ts';
import { metaDataOf, parseJson, platformFacts, publicKeysOf, textOf } from './meta-data.ts';
import { networkConfigOf } from './openstack-network.ts';

/** Throws `provision.meta-data`. */
export function describeOpenstack(system: System, { documents, origin, notes }: Omit<Seed, 'source'>): Found {
  const { userData, rawMetaData = new Uint8Array(0) } = documents;
  const raw = parseJson(system, rawMetaData, 'meta_data.json');
  const instanceId = textOf(raw['uuid']) ?? 'openstack';
  const facts = platformFacts('openstack', {
    availabilityZone: textOf(raw['availability_zone']),
    region: textOf(raw['region_id']),
  });
  const networkConfig =
    documents.networkConfig === undefined
      ? undefined
      : networkConfigOf(parseJson(system, documents.networkConfig, 'network_data.json'));
  const vendorData = vendorDataOf(system, documents.vendorData);
  return {
    source: 'openstack',
    origin,
    instanceId,
    ...(userData === undefined ? {} : { userData }),
    ...(vendorData === undefined ? {} : { vendorData }),
    ...(networkConfig === undefined ? {} : { networkConfig: system.encode(networkConfig) }),
    rawMetaData,
    metaData: metaDataOf({
      facts,
      instanceId,
      localHostname: textOf(raw['hostname']) ?? textOf(raw['name']),
      publicKeys: publicKeysOf(raw['public_keys']),
      raw,
    }),
    platformFacts: facts,
    notes,
  };
}

/** Of the vendor's JSON only cloud-init's part is a document; it may be text or a list of texts. */
function vendorDataOf(system: System, bytes: Uint8Array | undefined): Uint8Array | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  let part: Json | undefined;
  try {
    part = parseJson(system, bytes, 'vendor_data.json')['cloud-init'];
  } catch {
    return undefined;
  }
  if (typeof part === 'string') return system.encode(part);
  return Array.isArray(part) && typeof part[0] === 'string' ? system.encode(part[0]) : undefined;
}
