/** The part of provisioning that `sysinit` waits for: what needs no network, before any service starts. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { acquire } from '../acquire.ts';
import { configure } from '../configure.ts';
import { withLock } from '../lock.ts';
import { makeRuntimeDirectory } from '../status.ts';
import { readTried } from '../store/adopted.ts';
import { takeBack } from './revert.ts';

export async function bootStage(system: System, policy: ProvisioningPolicy): Promise<void> {
  makeRuntimeDirectory(system);
  await withLock(system, 0, async () => {
    // Nobody confirmed it before the machine went down: whoever could have may have been locked out by it.
    const tried = readTried(system);
    if (tried !== undefined) await takeBack(system, tried);
    await configure(system, policy, await acquire(system, policy, 'offline'), 'boot');
  });
}
