/** Which configuration is this machine's: what its source has now, or what it adopted before. */
import { SlipwayError } from '../../spec/error.ts';
import type { ProvisioningPolicy } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { onlyHearing } from './policy.ts';
import { findOffline } from './source/find-offline.ts';
import { findOnline } from './source/find-online.ts';
import type { Found } from './source/found.ts';
import { readAdopted, readRecord } from './store/adopted.ts';
import type { AdoptedRecord } from './store/record.ts';

export interface Acquired {
  /** What is to be; `undefined` where nobody has anything to say. */
  readonly found: Found | undefined;
  /** What was adopted before. */
  readonly record: AdoptedRecord | undefined;
  readonly adopted: Found | undefined;
  /** Why the source could not be read. */
  readonly fault: string | undefined;
  /** Digest of a new configuration that has faults; the adopted one stands in its place. */
  readonly rejected?: string;
  /** Somebody asked for it: also what was done before is done. */
  readonly again?: true;
}

/** All asking over the network together. */
const ONLINE_BUDGET_MS = 120_000;

/** Once adopted by one kind of source, a machine hears no other kind until `slip config reset`. */
export async function acquire(
  system: System,
  policy: ProvisioningPolicy,
  where: 'offline' | 'online',
): Promise<Acquired> {
  const record = readRecord(system, policy);
  const adopted = record === undefined ? undefined : readAdopted(system, record);
  // A record without its documents is no adoption: the machine asks anew, but still only that kind of source.
  const heard = record === undefined ? policy : onlyHearing(policy, record.source);
  if (record?.source === 'operator') return { found: adopted, record, adopted, fault: undefined };
  try {
    const found = await find(system, heard, where, record);
    return { found: found ?? adopted, record, adopted, fault: undefined };
  } catch (error) {
    return { found: adopted, record, adopted, fault: faultText(error) };
  }
}

export function faultText(error: unknown): string {
  if (!(error instanceof SlipwayError)) return String(error);
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}

async function find(
  system: System,
  policy: ProvisioningPolicy,
  where: 'offline' | 'online',
  record: AdoptedRecord | undefined,
): Promise<Found | undefined> {
  // A source that was found once is looked for where it was; the first time, everywhere.
  const storage = record === undefined && where === 'online' ? 'all' : 'present';
  const found = await findOffline(system, policy, { storage });
  if (found !== undefined || where === 'offline') return found;
  return findOnline(system, policy, { endsAtMs: system.uptimeMs() + ONLINE_BUDGET_MS });
}
