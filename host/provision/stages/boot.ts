/** The part of provisioning that `sysinit` waits for: what needs no network, before any service starts. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { acquire, type Acquired } from '../acquire.ts';
import { configure } from '../configure.ts';
import { withLock } from '../lock.ts';
import { PATHS } from '../paths.ts';
import { onlyHearing } from '../policy.ts';
import { makeRuntimeDirectory } from '../status.ts';
import { readTried } from '../store/adopted.ts';
import { takeBack } from './revert.ts';

export async function bootStage(system: System, policy: ProvisioningPolicy): Promise<void> {
  makeRuntimeDirectory(system);
  await withLock(system, 0, async () => {
    // Nobody confirmed it before the machine went down: whoever could have may have been locked out by it.
    const tried = readTried(system);
    if (tried !== undefined) await takeBack(system, tried);
    const acquired = await acquire(system, policy, 'offline');
    await configure(system, policy, acquired, 'boot');
    if (acquired.found === undefined && acquired.fault === undefined)
      await askLater(system, policy, acquired);
  });
}

/** Where what is there sends on to an address, or what was adopted is gone: at every boot until somebody answers. */
async function askLater(
  system: System,
  policy: ProvisioningPolicy,
  { record }: Pick<Acquired, 'record'>,
): Promise<void> {
  const { needsNetwork } = await import('../source/find-online.ts');
  const heard = record === undefined ? policy : onlyHearing(policy, record.source);
  if (await needsNetwork(system, heard)) system.writeText(PATHS.due, '', 0o600);
}
