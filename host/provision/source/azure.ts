/** Microsoft Azure: its metadata service, and the disc with the custom data. docs/datasources/azure.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { decodeBase64 } from '../../../spec/base64.ts';
import type { Found, Json } from './found.ts';
import { furtherAddresses, type CloudCard } from './further-addresses.ts';
import { refused, type HttpClient } from './http/client.ts';
import { present } from './files.ts';
import { eachMedium } from './medium/devices.ts';
import { loadStorageDrivers } from './medium/drivers.ts';
import {
  isMap,
  metaDataOf,
  parseJson,
  platformFacts,
  publicKeysOf,
  textOf,
  type JsonMap,
} from './meta-data.ts';
import { elementText } from './xml.ts';

const BASE = 'http://169.254.169.254/metadata/instance';
/** The second is for hosts that do not know the first yet. */
const VERSIONS = ['2021-08-01&extended=true', '2019-06-01'];
const HEADERS = { Metadata: 'true' };
/** A machine is known to the service only some time after it has started. */
const NOT_YET = [404, 410];
const OVF_FILE = 'ovf-env.xml';
const NO_DISC = `no disc with ${OVF_FILE}: there may be custom data that was not read`;

export async function fetchAzure(system: System, http: HttpClient): Promise<Found> {
  const document = await instanceDocument(http);
  const raw = parseJson(system, document, 'the instance’s metadata');
  const compute = isMap(raw['compute']) ? raw['compute'] : {};
  const instanceId = textOf(compute['vmId']);
  if (instanceId === undefined)
    throw new SlipwayError('provision.meta-data', 'Azure does not say which machine this is');
  const ovf = await readOvf(system);
  // What was given as the machine was made goes before what can be changed later, as with cloud-init.
  const custom = ovf === undefined ? undefined : elementText(ovf, 'CustomData');
  const encoded = custom || textOf(compute['userData']);
  const userData = encoded === undefined ? undefined : decodeBase64(encoded);
  if (encoded !== undefined && userData === undefined)
    throw new SlipwayError(
      'provision.encoding',
      `Azure’s ${custom ? 'custom data' : 'user data'} is not base64`,
    );
  const profile = isMap(compute['osProfile']) ? compute['osProfile'] : {};
  const localHostname =
    textOf(profile['computerName']) ??
    (ovf === undefined ? undefined : elementText(ovf, 'HostName')) ??
    textOf(compute['name']);
  const facts = platformFacts('azure', {
    region: textOf(compute['location']),
    availabilityZone: textOf(compute['zone']),
    instanceType: textOf(compute['vmSize']),
  });
  const publicKeys = publicKeysOf(keyData(compute['publicKeys']));
  const network = furtherAddresses(cardsOf(raw['network']));
  return {
    source: 'azure',
    origin: 'http://169.254.169.254/',
    instanceId: instanceId.toLowerCase(),
    ...present({
      userData,
      networkConfig: network === undefined ? undefined : system.encode(network),
    }),
    ...(custom && userData !== undefined ? { seed: { userData } } : {}),
    rawMetaData: document,
    metaData: metaDataOf({
      facts,
      instanceId: instanceId.toLowerCase(),
      localHostname,
      publicKeys,
      raw: { ...raw, compute: { ...compute, userData: null, customData: null } },
    }),
    platformFacts: facts,
    notes: ovf === undefined ? [NO_DISC] : [],
  };
}

/** Azure takes its disc away once the machine has said that it is ready: what stood on it is this instance's for good. */
export function withCustomData(found: Found, adopted: Found | undefined): Found {
  const custom = adopted?.source === 'azure' ? adopted.seed?.userData : undefined;
  if (found.source !== 'azure' || !found.notes.includes(NO_DISC)) return found;
  if (custom === undefined || adopted?.instanceId !== found.instanceId) return found;
  return {
    ...found,
    userData: custom,
    seed: { userData: custom },
    notes: found.notes.filter((note) => note !== NO_DISC),
  };
}

async function instanceDocument(http: HttpClient): Promise<Uint8Array> {
  let status = 0;
  for (const version of VERSIONS) {
    const url = `${BASE}?api-version=${version}`;
    const answer = await http.persist({ method: 'GET', url, headers: HEADERS }, NOT_YET);
    if (answer.status === 200) return answer.body;
    status = answer.status;
    // Only a version that is not known is worth another question.
    if (status !== 400) break;
  }
  throw refused(BASE, status);
}

/** `{interface: [{macAddress: '000D3A...', ipv4: {ipAddress: [{privateIpAddress}], subnet: [{address, prefix}]}}]}` */
function cardsOf(network: Json | undefined): readonly CloudCard[] {
  const list = (value: Json | undefined): readonly JsonMap[] =>
    Array.isArray(value) ? (value as readonly Json[]).filter(isMap) : [];
  const part = (card: JsonMap, name: string): JsonMap => {
    const found = card[name];
    return isMap(found) ? found : {};
  };
  return list(isMap(network) ? network['interface'] : undefined).flatMap((card): readonly CloudCard[] => {
    const digits = /^[0-9a-f]{12}$/.exec((textOf(card['macAddress']) ?? '').toLowerCase())?.[0];
    if (digits === undefined) return [];
    const [prefix] = list(part(card, 'ipv4')['subnet']).flatMap((subnet) => textOf(subnet['prefix']) ?? []);
    const [, ...others] = list(part(card, 'ipv4')['ipAddress']).flatMap(
      (address) => textOf(address['privateIpAddress']) ?? [],
    );
    return [
      {
        mac: (digits.match(/../g) ?? []).join(':'),
        further: prefix === undefined ? [] : others.map((address) => `${address}/${prefix}`),
        dhcp6: list(part(card, 'ipv6')['ipAddress']).length > 0,
      },
    ];
  });
}

/** Keys that people paste may hold line ends. */
function keyData(keys: Json | undefined): readonly Json[] {
  if (!Array.isArray(keys)) return [];
  return (keys as readonly Json[])
    .filter(isMap)
    .map((key: JsonMap) => (textOf(key['keyData']) ?? '').replace(/[\r\n]+/g, ''));
}

/** Azure's disc has no label that could be relied on; the password in the file is never read. */
async function readOvf(system: System): Promise<string | undefined> {
  const look = (): string | undefined =>
    eachMedium(system, (medium) => {
      const file = medium.path.startsWith('/dev/sr') ? medium.file(OVF_FILE) : undefined;
      const text = file === undefined ? '' : system.decode(file);
      return text.includes('LinuxProvisioningConfigurationSet') ? text : undefined;
    });
  return look() ?? ((await loadStorageDrivers(system)) ? look() : undefined);
}
