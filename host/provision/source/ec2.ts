/** Amazon EC2's instance metadata service, version 2 alone, over IPv4 or IPv6. docs/datasources/ec2.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { Found } from './found.ts';
import { furtherAddresses, type CloudCard } from './further-addresses.ts';
import type { HttpAnswer } from './http/answer.ts';
import { refused, type HttpClient } from './http/client.ts';
import { firstToAnswer } from './http/race.ts';
import { metaDataOf, parseJson, platformFacts, publicKeysOf, textOf } from './meta-data.ts';
import { present } from './files.ts';

const BASES = ['http://169.254.169.254', 'http://[fd00:ec2::254]'];
const TOKEN_PATH = '/latest/api/token';
const TOKEN_TTL_HEADER = 'X-aws-ec2-metadata-token-ttl-seconds';
const TOKEN_HEADER = 'X-aws-ec2-metadata-token';
const TOKEN_TTL_SECONDS = 21_600;
const MOST_KEYS = 50;
/** As many as the largest instances have. */
const MOST_CARDS = 16;

export async function fetchEc2(system: System, http: HttpClient): Promise<Found> {
  const { base, answer } = await firstToAnswer(http, BASES, (one) => tokenRequest(one));
  const get = tokenGetter(system, http, base, tokenOf(system, base, answer));
  const document = await get('/latest/dynamic/instance-identity/document');
  if (document === undefined)
    throw new SlipwayError('provision.meta-data', 'EC2 has no identity document for this instance');
  const identity = parseJson(system, document, 'the identity document');
  const text = async (path: string): Promise<string | undefined> => {
    const bytes = await get(path);
    return bytes === undefined ? undefined : system.decode(bytes).trim() || undefined;
  };
  const instanceId = textOf(identity['instanceId']) ?? (await text('/latest/meta-data/instance-id'));
  if (instanceId === undefined)
    throw new SlipwayError('provision.meta-data', 'EC2 does not say which instance this is');
  const localHostname = await text('/latest/meta-data/local-hostname');
  // `0=name of the key`, one a line.
  const indices = ((await text('/latest/meta-data/public-keys/')) ?? '')
    .split('\n')
    .flatMap((line) => /^(\d+)=/.exec(line)?.[1] ?? [])
    .slice(0, MOST_KEYS);
  const keys: string[] = [];
  for (const index of indices)
    keys.push((await text(`/latest/meta-data/public-keys/${index}/openssh-key`)) ?? '');
  const launchIndex = await text('/latest/meta-data/ami-launch-index');
  const network = furtherAddresses(await cardsOf(text));
  const userData = await get('/latest/user-data');
  const facts = platformFacts('aws', {
    region: textOf(identity['region']),
    availabilityZone: textOf(identity['availabilityZone']),
    instanceType: textOf(identity['instanceType']),
  });
  const publicKeys = publicKeysOf(keys);
  const raw = {
    ...identity,
    'instance-id': instanceId,
    'local-hostname': localHostname ?? null,
    'ami-launch-index': launchIndex ?? null,
  };
  return {
    source: 'ec2',
    origin: `${base}/`,
    instanceId,
    ...present({
      userData,
      networkConfig: network === undefined ? undefined : system.encode(network),
    }),
    rawMetaData: document,
    metaData: metaDataOf({ facts, instanceId, localHostname, publicKeys, raw }),
    platformFacts: facts,
    notes: [],
  };
}

/** In the order of the instance. Only of a card with several addresses more is asked. */
async function cardsOf(text: (path: string) => Promise<string | undefined>): Promise<readonly CloudCard[]> {
  const base = '/latest/meta-data/network/interfaces/macs/';
  const macs = ((await text(base)) ?? '')
    .split('\n')
    .map((line) => line.trim().replace(/\/$/, '').toLowerCase())
    .filter((mac) => /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
    .slice(0, MOST_CARDS);
  const cards: (CloudCard & { readonly number: number })[] = [];
  for (const mac of macs) {
    const of = async (name: string): Promise<string> => (await text(`${base}${mac}/${name}`)) ?? '';
    const [, ...others] = (await of('local-ipv4s')).split('\n').filter((line) => line !== '');
    const prefix = others.length === 0 ? '' : /\/(\d+)$/.exec(await of('subnet-ipv4-cidr-block'))?.[1];
    const further = prefix === undefined ? [] : others.map((address) => `${address.trim()}/${prefix}`);
    const number = macs.length === 1 ? 0 : Number(await of('device-number'));
    cards.push({ mac, further, dhcp6: (await of('ipv6s')) !== '', number });
  }
  return cards.sort((a, b) => a.number - b.number);
}

function tokenRequest(base: string): Parameters<HttpClient['once']>[0] {
  return {
    method: 'PUT',
    url: base + TOKEN_PATH,
    headers: { [TOKEN_TTL_HEADER]: String(TOKEN_TTL_SECONDS) },
  };
}

/** It ends up in a header. */
function tokenOf(system: System, base: string, { status, body }: HttpAnswer): string {
  if (status === 403)
    throw refused(base + TOKEN_PATH, status, 'the metadata service is switched off for this instance');
  if (status !== 200) throw refused(base + TOKEN_PATH, status);
  const token = system.decode(body).trim();
  if (!/^[\x21-\x7e]{1,512}$/.test(token))
    throw new SlipwayError('provision.meta-data', 'what EC2 sent as a token is none');
  return token;
}

/** 401 means that the token is no longer good: once, a new one is fetched. */
function tokenGetter(
  system: System,
  http: HttpClient,
  base: string,
  first: string,
): (path: string) => Promise<Uint8Array | undefined> {
  let token = first;
  return async (path) => {
    const request = { method: 'GET' as const, url: base + path };
    let answer = await http.persist({ ...request, headers: { [TOKEN_HEADER]: token } });
    if (answer.status === 401) {
      token = tokenOf(system, base, await http.persist(tokenRequest(base)));
      answer = await http.persist({ ...request, headers: { [TOKEN_HEADER]: token } });
    }
    if (answer.status === 200) return answer.body;
    if (answer.status === 404) return undefined;
    throw refused(base + path, answer.status);
  };
}
