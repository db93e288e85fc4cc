/** What needs the network, or running services: sources that are asked, what is fetched, what runs once. Started by slipd. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { acquire, faultText } from '../acquire.ts';
import { configure } from '../configure.ts';
import { withLock } from '../lock.ts';
import { PATHS } from '../paths.ts';
import { reportReady } from '../source/azure-report.ts';
import { makeRuntimeDirectory, wakeSlipd } from '../status.ts';

const PATIENCE_MS = 600_000;
const REPORT_BUDGET_MS = 60_000;

export async function onlineStage(system: System, policy: ProvisioningPolicy): Promise<void> {
  makeRuntimeDirectory(system);
  await withLock(system, PATIENCE_MS, async () => {
    // Taken away first: what becomes due meanwhile is not forgotten.
    system.remove(PATHS.due);
    const acquired = await acquire(system, policy, 'online');
    await configure(system, policy, acquired, 'online');
    wakeSlipd(system);
    if (acquired.found?.source === 'azure') await tellAzure(system);
  });
}

/** A machine that never says that it is ready counts as failed there, after 20 minutes or so. */
async function tellAzure(system: System): Promise<void> {
  try {
    await reportReady(system, { endsAtMs: system.uptimeMs() + REPORT_BUDGET_MS });
  } catch (error) {
    system.log(`Azure was not told that this machine is ready: ${faultText(error)}`);
  }
}
