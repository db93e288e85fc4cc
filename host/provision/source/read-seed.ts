/** From the documents of an offline source to what the rest of provisioning needs of them. */
import type { Found, Seed } from './found.ts';

/** `undefined` when its meta-data sends on to the network (`seedfrom`). */
export function readSeed(_seed: Seed): Found | undefined {
  return undefined;
}
