/**
 * What stood at the addresses of `#include`: kept for the instance, so that a machine whose network or server is away is still what it was, and
 * `#include-once` asks once. 0600, below a directory of root's.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { PROVISIONING_PATHS } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { readBounded, writeDurable } from './durable.ts';

export type Included = ReadonlyMap<string, Uint8Array>;

const DIRECTORY = `${PROVISIONING_PATHS.state}/included`;
const LIMIT_BYTES = 1024 * 1024;

export function readIncluded(system: System, instanceId: string, url: string): Uint8Array | undefined {
  return readBounded(system, `${DIRECTORY}/${nameOf(system, instanceId, url)}`, LIMIT_BYTES);
}

/** `others`: those that this configuration does not name; `keep` while the one before may return. */
export async function storeIncluded(
  system: System,
  instanceId: string,
  included: Included,
  others: 'keep' | 'remove',
): Promise<void> {
  const files = [...included].map(([url, bytes]) => ({ name: nameOf(system, instanceId, url), bytes }));
  await writeDurable(system, DIRECTORY, files);
  if (others === 'keep') return;
  for (const name of system.list(DIRECTORY))
    if (!files.some((file) => file.name === name)) system.remove(`${DIRECTORY}/${name}`);
}

function nameOf(system: System, instanceId: string, url: string): string {
  return bytesToHex(sha256(system.encode(`${encodeURIComponent(instanceId)} ${url}`)));
}
