/** DigitalOcean's metadata service. docs/datasources/digitalocean.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { Found } from './found.ts';
import type { HttpClient } from './http/client.ts';
import { networkConfigOf } from './digitalocean-network.ts';
import { present } from './files.ts';
import { metaDataOf, parseJson, platformFacts, publicKeysOf, textOf } from './meta-data.ts';

const BASE = 'http://169.254.169.254/metadata';
/** One document holds everything, user-data included. */
const DOCUMENT = `${BASE}/v1.json`;

export async function fetchDigitalOcean(system: System, http: HttpClient): Promise<Found> {
  const document = await http.get(DOCUMENT);
  if (document === undefined)
    throw new SlipwayError('provision.refused', `${DOCUMENT} knows nothing of this machine`);
  const raw = parseJson(system, document, 'the metadata');
  const instanceId = textOf(raw['droplet_id']);
  if (instanceId === undefined)
    throw new SlipwayError('provision.meta-data', 'DigitalOcean does not say which droplet this is');
  const text = (name: string): Uint8Array | undefined => {
    const value = textOf(raw[name]);
    return value === undefined ? undefined : system.encode(value);
  };
  const network = networkConfigOf(raw);
  const facts = platformFacts('digitalocean', { region: textOf(raw['region']) });
  return {
    source: 'digitalocean',
    origin: 'http://169.254.169.254/',
    instanceId,
    ...present({
      userData: text('user_data'),
      vendorData: text('vendor_data'),
      networkConfig: network === undefined ? undefined : system.encode(network),
    }),
    rawMetaData: document,
    metaData: metaDataOf({
      facts,
      instanceId,
      localHostname: textOf(raw['hostname']),
      publicKeys: publicKeysOf(raw['public_keys']),
      // These are documents, not facts; the key of the droplet's agent is a secret.
      raw: { ...raw, user_data: null, vendor_data: null, auth_key: null },
    }),
    platformFacts: facts,
    notes: [],
  };
}
