/** The source that is asked over the network: which one, the machine's own tables say, never the network. */
import type { DatasourceName, ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { fetchAddressed } from './addressed.ts';
import { fetchAzure } from './azure.ts';
import { fetchDigitalOcean } from './digitalocean.ts';
import { readDmi } from './dmi.ts';
import { fetchEc2 } from './ec2.ts';
import type { Budget, Found } from './found.ts';
import { fetchGce } from './gce.ts';
import { fetchHetzner } from './hetzner.ts';
import { createHttpClient, type HttpClient } from './http/client.ts';
import type { HttpProgram } from './http/exchange.ts';
import { heard, lookOffline } from './look-offline.ts';
import { fetchOpenstack } from './openstack.ts';
import { onlineSource, type OnlineSource } from './platform.ts';
import { seedAddress } from './read-seed.ts';

const FETCH: Readonly<Record<OnlineSource, (system: System, http: HttpClient) => Promise<Found>>> = {
  ec2: fetchEc2,
  gce: fetchGce,
  azure: fetchAzure,
  openstack: fetchOpenstack,
  digitalocean: fetchDigitalOcean,
  hetzner: fetchHetzner,
};

/**
 * Asks the one source that this platform has, again and again until it answers or the budget is spent. `undefined` at once where no source applies.
 * Throws SlipwayError `provision.*` or `http.*` when the source that applies did not answer, or refused.
 */
export async function findOnline(
  system: System,
  policy: ProvisioningPolicy,
  budget: Budget,
  program?: HttpProgram,
): Promise<Found | undefined> {
  const http = createHttpClient(system, budget, program);
  const seed = await lookOffline(system, policy, { storage: 'present' });
  if (seed !== undefined && seed.source !== 'built-in') return fetchAddressed(system, http, seed);
  const source = policy.platform === 'auto' ? onlineSource(readDmi(system)) : policy.platform;
  if (source === undefined || !isOnline(source) || !heard(policy)(source)) return undefined;
  return FETCH[source](system, http);
}

/** Whether `findOnline` will ask the network at all: a machine of nobody's need not wait for one. Milliseconds. */
export async function needsNetwork(system: System, policy: ProvisioningPolicy): Promise<boolean> {
  const seed = await lookOffline(system, policy, { storage: 'present' });
  if (seed !== undefined && seed.source !== 'built-in') return seedAddress(system, seed) !== undefined;
  const source = policy.platform === 'auto' ? onlineSource(readDmi(system)) : policy.platform;
  return source !== undefined && isOnline(source) && heard(policy)(source);
}

function isOnline(source: DatasourceName): source is OnlineSource {
  return source in FETCH;
}
