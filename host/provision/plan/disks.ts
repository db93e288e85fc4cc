/** Disks, file systems, mounts, swap: in this order. Nothing that exists is touched unless it is said so in so many words. */
import type { MachineConfig } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import { planFileSystems } from './file-systems.ts';
import { planMounts } from './mounts.ts';
import type { Step, Verdict } from './step.ts';
import { planSwap } from './swap.ts';
import { planTables } from './tables.ts';

export interface PlannedDisks {
  readonly steps: readonly Step[];
  readonly verdicts: readonly Verdict[];
}

export function planDisks(config: MachineConfig, facts: MachineFacts): PlannedDisks {
  const tables = planTables(config, facts);
  const fileSystems = planFileSystems(config, facts, tables.disks);
  const mounts = planMounts(config, tables.disks);
  const parts = [tables, fileSystems, mounts, planSwap(config, facts), planGrowth(config)];
  const verdicts = parts.flatMap((part) => part.verdicts);
  const [alias] = config.deviceAliases;
  return {
    steps: parts.flatMap(({ steps }) => steps),
    verdicts:
      alias === undefined
        ? verdicts
        : [{ key: 'device_aliases', at: alias.name.at, state: 'applied', reason: null }, ...verdicts],
  };
}

/** The state partition and its file system grow with the disk at every boot, whatever a configuration says. */
function planGrowth({ growpart, resizeRootfs }: MachineConfig): PlannedDisks {
  const verdicts: Verdict[] = [];
  const itself = 'the state partition grows with its disk by itself';
  if (growpart !== undefined) {
    const other = growpart.devices.find(({ value }) => value !== '/' && value !== '/var');
    if (!growpart.enabled.value)
      verdicts.push({ key: 'growpart', at: growpart.at, state: 'ignored', reason: itself });
    else if (other !== undefined)
      verdicts.push({
        key: 'growpart',
        at: other.at,
        state: 'ignored',
        reason: 'other disks stay as they are',
      });
    else verdicts.push({ key: 'growpart', at: growpart.at, state: 'applied', reason: itself });
  }
  if (resizeRootfs !== undefined)
    verdicts.push({
      key: 'resize_rootfs',
      at: resizeRootfs.at,
      state: resizeRootfs.value === false ? 'ignored' : 'applied',
      reason: itself,
    });
  return { steps: [], verdicts };
}
