/** OpenStack's metadata service over HTTP, for machines without a config drive. docs/datasources/openstack.md */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { present } from './files.ts';
import type { Found } from './found.ts';
import { refused, type HttpClient } from './http/client.ts';
import { firstToAnswer } from './http/race.ts';
import { describeOpenstack } from './openstack-data.ts';

const IPV4 = 'http://169.254.169.254';
/** The same service, on each link of its own. */
const IPV6 = 'fe80::a9fe:a9fe';
const FOLDER = '/openstack/latest';
const CARDS = '/sys/class/net';
/** What can stand in an address. */
const CARD = /^[A-Za-z0-9._-]+$/;

export async function fetchOpenstack(system: System, http: HttpClient): Promise<Found> {
  const links = system
    .list(CARDS)
    .filter(
      (card) =>
        CARD.test(card) && card !== 'lo' && system.readText(`${CARDS}/${card}/carrier`)?.trim() === '1',
    )
    .map((card) => `http://[${IPV6}%${card}]`);
  const { base, answer } = await firstToAnswer(http, [IPV4, ...links], (one) => ({
    method: 'GET',
    url: `${one}${FOLDER}/meta_data.json`,
  }));
  if (answer.status === 404)
    throw new SlipwayError('provision.refused', `${base} knows nothing of this machine`);
  if (answer.status !== 200) throw refused(`${base}${FOLDER}/meta_data.json`, answer.status);
  const get = (name: string): Promise<Uint8Array | undefined> => http.get(`${base}${FOLDER}/${name}`);
  const documents = present({
    rawMetaData: answer.body,
    userData: await get('user_data'),
    vendorData: await get('vendor_data.json'),
    networkConfig: await get('network_data.json'),
  });
  return describeOpenstack(system, { documents, origin: `${base}/`, notes: [] });
}
