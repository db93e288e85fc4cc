/** Which configuration is this machine's: what its source has now, or what it adopted before. */
import { SlipwayError } from '../../spec/error.ts';
import type { ProvisioningPolicy } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { onlyHearing } from './policy.ts';
import { findOffline } from './source/find-offline.ts';
import type { Found } from './source/found.ts';
import { isOutOfSight } from './source/medium/devices.ts';
import { readAdopted, readRecord, unheardSource } from './store/adopted.ts';
import type { AdoptedRecord } from './store/record.ts';

export interface Acquired {
  /** What is to be; `undefined` where nobody has anything to say. */
  readonly found: Found | undefined;
  /** What was adopted before. */
  readonly record: AdoptedRecord | undefined;
  readonly adopted: Found | undefined;
  /** Why the source could not be read. */
  readonly fault: Fault | undefined;
  /** Digest of a new configuration that has faults; the adopted one stands in its place. */
  readonly rejected?: string;
  /** Somebody asked for it: also what was done before is done. */
  readonly again?: true;
}

export interface Fault {
  readonly text: string;
  /** It is the server that does not answer as it should: says nothing against this version of the image. */
  readonly passing: boolean;
}

/** All asking over the network together. */
const ONLINE_BUDGET_MS = 120_000;

/** Once adopted by one kind of source, a machine hears no other kind until `slip config reset`. */
export async function acquire(
  system: System,
  policy: ProvisioningPolicy,
  where: 'offline' | 'online',
): Promise<Acquired> {
  const unheard = unheardSource(system, policy);
  if (unheard !== undefined) {
    const text = `this machine was configured by ${unheard}, which this image does not hear; its definition would by: provisioning: { sources: { ${unheard}: [...] } }`;
    return { found: undefined, record: undefined, adopted: undefined, fault: { text, passing: false } };
  }
  const record = readRecord(system, policy);
  const adopted = record === undefined ? undefined : readAdopted(system, record);
  // A record without its documents is no adoption: the machine asks anew, but still only that kind of source.
  const heard = record === undefined ? policy : onlyHearing(policy, record.source);
  if (record?.source === 'operator') return { found: adopted, record, adopted, fault: undefined };
  try {
    const found = await find(system, heard, where, record, adopted);
    return { found: found ?? adopted, record, adopted, fault: undefined };
  } catch (error) {
    return { found: adopted, record, adopted, fault: { text: faultText(error), passing: isPassing(error) } };
  }
}

export function faultText(error: unknown): string {
  if (!(error instanceof SlipwayError)) return String(error);
  return error.hint === undefined ? error.message : `${error.message} (${error.hint})`;
}

/** `provision.meta-data` and its like are about what was read; these about who was asked. */
function isPassing(error: unknown): boolean {
  if (!(error instanceof SlipwayError)) return false;
  return (
    ['provision.unreachable', 'provision.refused'].includes(error.code) || error.code.startsWith('http.')
  );
}

async function find(
  system: System,
  policy: ProvisioningPolicy,
  where: 'offline' | 'online',
  record: AdoptedRecord | undefined,
  adopted: Found | undefined,
): Promise<Found | undefined> {
  // A source that was found once is looked for where it was; the first time, everywhere.
  const isAnywhere = record === undefined || isOutOfSight(system, record.origin);
  const storage = isAnywhere && where === 'online' ? 'all' : 'present';
  const found = await findOffline(system, policy, { storage });
  if (found !== undefined || where === 'offline') return found;
  const { findOnline } = await import('./source/find-online.ts');
  const asked = await findOnline(system, policy, { endsAtMs: system.uptimeMs() + ONLINE_BUDGET_MS });
  if (asked?.source !== 'azure') return asked;
  return (await import('./source/azure.ts')).withCustomData(asked, adopted);
}
