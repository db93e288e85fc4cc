/** What needs the network, or running services: sources that are asked, what is fetched, what runs once. Started by slipd. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { acquire } from '../acquire.ts';
import { configure } from '../configure.ts';
import { withLock } from '../lock.ts';
import { PATHS } from '../paths.ts';
import { makeRuntimeDirectory, wakeSlipd } from '../status.ts';

const PATIENCE_MS = 600_000;

export async function onlineStage(system: System, policy: ProvisioningPolicy): Promise<void> {
  makeRuntimeDirectory(system);
  await withLock(system, PATIENCE_MS, async () => {
    // Taken away first: what becomes due meanwhile is not forgotten.
    system.remove(PATHS.due);
    await configure(system, policy, await acquire(system, policy, 'online'), 'online');
    wakeSlipd(system);
  });
}
