/** The source that is there without a network: looked for at each boot, so it takes milliseconds where there is nothing. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import type { Found } from './found.ts';
import { lookOffline, type LookOptions } from './look-offline.ts';
import { readSeed } from './read-seed.ts';

/**
 * The first offline source that the policy hears, read as a whole. `undefined` where there is none, or where what there is sends on to the network
 * (`findOnline` goes on with it).
 *
 * To look only for one kind of source, as on a machine that adopted one, hand over a policy that hears no other.
 * Throws SlipwayError `provision.*` for a source that is there and cannot be read, or that is there twice.
 */
export async function findOffline(
  system: System,
  policy: ProvisioningPolicy,
  options: LookOptions = {},
): Promise<Found | undefined> {
  const seed = await lookOffline(system, policy, options);
  return seed === undefined ? undefined : readSeed(system, seed);
}
