/** Google Compute Engine's metadata server. docs/datasources/gce.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { decodeBase64 } from '../../../spec/base64.ts';
import type { Found, Json } from './found.ts';
import { refused, type HttpClient } from './http/client.ts';
import { present } from './files.ts';
import {
  isMap,
  metaDataOf,
  parseJson,
  platformFacts,
  publicKeysOf,
  textOf,
  type JsonMap,
} from './meta-data.ts';

/** Its name is metadata.google.internal; the address needs no DNS. */
const BASE = 'http://169.254.169.254/computeMetadata/v1';
const FLAVOR = 'Google';

export async function fetchGce(system: System, http: HttpClient): Promise<Found> {
  // Apart from the rest: a number of 19 digits, of which JSON.parse keeps 16.
  const id = await get(http, 'instance/id');
  const instance = await get(http, 'instance/?recursive=true');
  const project = await get(http, 'project/attributes/?recursive=true');
  const instanceId = id === undefined ? '' : system.decode(id).trim();
  if (!/^\d+$/.test(instanceId) || instance === undefined)
    throw new SlipwayError('provision.meta-data', 'Google does not say which instance this is');
  const raw = parseJson(system, instance, 'the instance’s metadata');
  const attributes = isMap(raw['attributes']) ? raw['attributes'] : {};
  const projectAttributes = project === undefined ? {} : parseJson(system, project, 'the project’s metadata');
  const userData = documentOf(system, attributes);
  // `projects/123/zones/europe-west1-b`
  const availabilityZone = textOf(raw['zone'])?.split('/').at(-1);
  const facts = platformFacts('gce', {
    availabilityZone,
    region: availabilityZone?.replace(/-[^-]*$/, ''),
    instanceType: textOf(raw['machineType'])?.split('/').at(-1),
  });
  const localHostname = textOf(raw['hostname']);
  const publicKeys = publicKeysOf(sshKeys(attributes, projectAttributes, system.wallClockMs()));
  return {
    source: 'gce',
    origin: 'http://169.254.169.254/',
    instanceId,
    ...present({ userData }),
    rawMetaData: instance,
    metaData: metaDataOf({
      facts,
      instanceId,
      localHostname,
      publicKeys,
      raw: { ...raw, id: instanceId, serviceAccounts: null },
    }),
    platformFacts: facts,
    notes: [],
  };
}

/** Both sides say the header: who does not is not Google's server. */
async function get(http: HttpClient, path: string): Promise<Uint8Array | undefined> {
  const url = `${BASE}/${path}`;
  const { status, headers, body } = await http.persist({
    method: 'GET',
    url,
    headers: { 'Metadata-Flavor': FLAVOR },
  });
  if (status === 404) return undefined;
  if (status !== 200) throw refused(url, status);
  if (headers.get('metadata-flavor') !== FLAVOR)
    throw new SlipwayError('provision.refused', `${url} was not answered by Google's metadata server`);
  return body;
}

function documentOf(system: System, attributes: JsonMap): Uint8Array | undefined {
  const text = textOf(attributes['user-data']);
  if (text === undefined || attributes['user-data-encoding'] !== 'base64')
    return text === undefined ? undefined : system.encode(text);
  const bytes = decodeBase64(text);
  if (bytes === undefined)
    throw new SlipwayError('provision.encoding', 'user-data is not base64, as user-data-encoding says');
  return bytes;
}

/** `user:ssh-ed25519 AAAA... google-ssh {"userName":"a","expireOn":"2026-12-04T20:12:00+0000"}`; expired ones are gone. */
function sshKeys(instance: JsonMap, project: JsonMap, nowMs: number): readonly Json[] {
  const ofProject =
    textOf(instance['block-project-ssh-keys'])?.toLowerCase() !== 'true' && instance['sshKeys'] === undefined;
  const texts = [
    instance['ssh-keys'],
    instance['sshKeys'],
    ...(ofProject ? [project['ssh-keys'], project['sshKeys']] : []),
  ];
  return texts
    .flatMap((text) => (textOf(text) ?? '').split('\n'))
    .flatMap((line) => {
      const key = /^[^:\s]+:(.+)$/.exec(line.trim())?.[1];
      return key === undefined || isExpired(key, nowMs) ? [] : [key];
    });
}

function isExpired(key: string, nowMs: number): boolean {
  const expires = /"expireOn"\s*:\s*"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)([+-]\d\d):?(\d\d)"/.exec(key);
  if (expires === null) return false;
  return Date.parse(`${expires[1]}${expires[2]}:${expires[3]}`) <= nowMs;
}
