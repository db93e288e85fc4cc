/** Hetzner Cloud's metadata service. docs/datasources/hetzner.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { Found } from './found.ts';
import type { HttpClient } from './http/client.ts';
import { present } from './files.ts';
import { isMap, metaDataOf, parseMetaData, platformFacts, publicKeysOf, textOf } from './meta-data.ts';

const BASE = 'http://169.254.169.254/hetzner/v1';

export async function fetchHetzner(system: System, http: HttpClient): Promise<Found> {
  const document = await http.get(`${BASE}/metadata`);
  if (document === undefined)
    throw new SlipwayError('provision.refused', `${BASE}/metadata knows nothing of this machine`);
  const userData = await http.get(`${BASE}/userdata`);
  const raw = parseMetaData(system, document, 'metadata');
  const instanceId = textOf(raw['instance-id']);
  if (instanceId === undefined)
    throw new SlipwayError('provision.meta-data', 'Hetzner does not say which server this is');
  const network = raw['network-config'];
  const vendor = textOf(raw['vendor_data']);
  const facts = platformFacts('hetzner', {
    availabilityZone: textOf(raw['availability-zone']),
    region: textOf(raw['region']),
  });
  return {
    source: 'hetzner',
    origin: 'http://169.254.169.254/',
    instanceId,
    ...present({
      userData: userData === undefined || userData.length === 0 ? undefined : userData,
      vendorData: vendor === undefined ? undefined : system.encode(vendor),
      networkConfig: isMap(network) ? system.encode(JSON.stringify(network)) : undefined,
    }),
    rawMetaData: document,
    metaData: metaDataOf({
      facts,
      instanceId,
      localHostname: textOf(raw['hostname']),
      publicKeys: publicKeysOf(raw['public-keys']),
      raw: { ...raw, vendor_data: null },
    }),
    platformFacts: facts,
    notes: [],
  };
}
