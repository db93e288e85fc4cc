/** The way back from a configuration that nobody confirmed. */
import type { ProvisioningPolicy } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { configure } from '../configure.ts';
import { sayOnConsole } from '../console.ts';
import { withLock } from '../lock.ts';
import { PATHS } from '../paths.ts';
import { wakeSlipd } from '../status.ts';
import {
  forgetAdopted,
  forgetTried,
  readAdopted,
  readRecord,
  readTried,
  storeRecord,
  type Tried,
} from '../store/adopted.ts';

const PATIENCE_MS = 600_000;

export async function revertStage(system: System, policy: ProvisioningPolicy): Promise<void> {
  await withLock(system, PATIENCE_MS, async () => {
    const tried = readTried(system);
    // Confirmed at the last moment.
    if (tried === undefined) return void system.remove(PATHS.try);
    await takeBack(system, tried);
    system.remove(PATHS.try);
    const record = readRecord(system, policy);
    const adopted = record === undefined ? undefined : readAdopted(system, record);
    await configure(system, policy, { found: adopted, record, adopted, fault: undefined }, 'online');
    sayOnConsole(system, 'slipway: nobody confirmed the new configuration: the one before is back\r\n');
    wakeSlipd(system);
  });
}

/** The record is that of before, to be carried out anew, files included: what was tried may have changed them. After a cut in between, it is done again. */
export async function takeBack(system: System, { before }: Tried): Promise<void> {
  if (before === null) await forgetAdopted(system);
  else await storeRecord(system, { ...before, complete: false });
  await forgetTried(system);
}
