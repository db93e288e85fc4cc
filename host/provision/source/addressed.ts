/** Offline sources that name an address: NoCloud's `seedfrom`, and `cloud-config-url=` of the kernel's command line. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import { present } from './files.ts';
import type { Found, Seed } from './found.ts';
import type { HttpClient } from './http/client.ts';
import { readSeed, seedAddress } from './read-seed.ts';

/** `undefined` when the seed names none. */
export async function fetchAddressed(
  system: System,
  http: HttpClient,
  seed: Seed,
): Promise<Found | undefined> {
  if (seed.configUrl !== undefined) return fetchConfig(system, http, seed, seed.configUrl);
  const from = seedAddress(system, seed);
  if (from === undefined) return undefined;
  if (!/^https?:\/\//.test(from))
    throw new SlipwayError(
      'provision.seed',
      `seedfrom ${from} cannot be asked: only http:// and https:// can`,
    );
  const base = from.endsWith('/') ? from : `${from}/`;
  const [userData, rawMetaData] = [
    await http.follow(`${base}user-data`),
    await http.follow(`${base}meta-data`),
  ];
  for (const [name, document] of [
    ['user-data', userData],
    ['meta-data', rawMetaData],
  ] as const)
    if (document === undefined)
      throw new SlipwayError('provision.seed', `${base}${name} is not there`, {
        hint: 'both user-data and meta-data must be there; either may be empty',
      });
  const documents = present({
    userData,
    rawMetaData,
    vendorData: await http.follow(`${base}vendor-data`),
    // The disk's own configuration of the network was good enough to get here.
    networkConfig: (await http.follow(`${base}network-config`)) ?? seed.documents.networkConfig,
  });
  const { seedFrom: _, ...line } = seed.line ?? {};
  const fetched: Seed = { source: seed.source, origin: base, documents, line, notes: seed.notes };
  const found = await readSeed(system, fetched);
  if (found === undefined)
    throw new SlipwayError('provision.seed', `${base}meta-data sends on to yet another address`);
  return { ...found, seed: seed.documents };
}

async function fetchConfig(system: System, http: HttpClient, seed: Seed, url: string): Promise<Found> {
  const userData = await http.follow(url);
  if (userData === undefined) throw new SlipwayError('provision.seed', `${url} is not there`);
  // What else could stand there is code, and an unsigned address should not choose to run some.
  const [first = ''] = system.decode(userData.subarray(0, 200)).split('\n');
  if (first.trimEnd() !== '#cloud-config')
    throw new SlipwayError(
      'provision.seed',
      `${url} begins with '${first.slice(0, 60)}', not with #cloud-config`,
    );
  const found = await readSeed(system, {
    source: seed.source,
    origin: url,
    documents: { ...seed.documents, userData },
    notes: seed.notes,
  });
  if (found === undefined) throw new SlipwayError('provision.seed', `${url} cannot be used`);
  return { ...found, seed: seed.documents };
}
