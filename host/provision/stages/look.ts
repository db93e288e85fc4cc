/** The look at each boot: compares what the source has with what was adopted, and makes again what a boot forgets. */
import type { System } from '../../../system/system.ts';
import { applyHostname, applyRuntimeFile } from '../apply/settings.ts';
import { applyNetwork } from '../network/apply.ts';
import { PATHS } from '../paths.ts';
import { onlyHearing, readPolicy } from '../policy.ts';
import { readDmi } from '../source/dmi.ts';
import { heard, lookOffline } from '../source/look-offline.ts';
import { isOutOfSight } from '../source/medium/devices.ts';
import { onlineSource } from '../source/platform.ts';
import { makeRuntimeDirectory, publishStatus, wakeSlipd } from '../status.ts';
import { readRecord, readTried, sameSeed, unheardSource } from '../store/adopted.ts';
import { rememberLooked } from '../store/looked.ts';
import { readRestore, type Restore } from '../store/restore.ts';

/** `more`: something is new, or undone. `storage`: as of lookOffline. */
export async function look(system: System, storage: 'present' | 'all'): Promise<'done' | 'more'> {
  const policy = readPolicy(system);
  if (policy === undefined) return 'done';
  const record = readRecord(system, policy);
  if (record === undefined) {
    // provision.js says so.
    if (unheardSource(system, policy) !== undefined) return 'more';
    const seed = await lookOffline(system, policy, { storage });
    if (storage === 'all') await rememberLooked(system);
    const platform = policy.platform === 'auto' ? onlineSource(readDmi(system)) : policy.platform;
    const online = platform !== undefined && heard(policy)(platform);
    if (seed === undefined && !online) return 'done';
    if (seed !== undefined && storage === 'present') return 'more';
    makeDue(system);
    return 'done';
  }
  if (readTried(system) !== undefined) return 'more';
  const seed = await lookOffline(system, onlyHearing(policy, record.source), { storage: 'present' });
  if (seed !== undefined && !sameSeed(system, record, seed)) return 'more';
  const restore = readRestore(system, rootHash(system), record, policy.sources[record.source] ?? []);
  if (restore === undefined) return 'more';
  makeAgain(system, restore);
  if (restore.due || isOutOfSight(system, record.origin)) makeDue(system);
  return 'done';
}

/** As provision.js did it when the configuration was new. */
function makeAgain(system: System, restore: Restore): void {
  makeRuntimeDirectory(system);
  for (const name of restore.names) applyHostname(system, name);
  for (const file of restore.files) applyRuntimeFile(system, file);
  const plan =
    restore.network === null ? undefined : { format: '1.0' as const, text: restore.network, problems: [] };
  applyNetwork(system, plan);
  system.writeText(PATHS.machine, `${JSON.stringify({ ...restore.machine, services: [] })}\n`, 0o600);
  publishStatus(system, restore.status, 'loud');
}

function rootHash(system: System): string {
  return system.readText('/run/slipway/boot/root-hash')?.trim() ?? '';
}

/** slipd starts provision.js once the network is up. */
function makeDue(system: System): void {
  makeRuntimeDirectory(system);
  system.writeText(PATHS.due, '');
  wakeSlipd(system);
}
