import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

/** Started from a CD, a stick or the network: there are no slots, and state is in memory. */
export function isLive(system: System): boolean {
  return system.status(`${PATHS.boot}/live`) !== undefined;
}
