/** Offline sources as bytes alone: what the small program of each boot compares with the adopted copies. Nothing here reads YAML. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import type { Seed } from './found.ts';

export interface LookOptions {
  /**
   * `present`: only block devices whose driver is loaded. `all` (default): where nothing was found on those, the drivers of the machine's other storage
   * controllers and of CD drives are loaded, and looked at once more; that costs nothing where there are none, else 0.1 to 1.5 s.
   */
  readonly storage?: 'present' | 'all';
}

/** Throws SlipwayError `provision.*` as `findOffline`. */
export function lookOffline(
  _system: System,
  _policy: ProvisioningPolicy,
  _options: LookOptions = {},
): Promise<Seed | undefined> {
  return Promise.resolve(undefined);
}
