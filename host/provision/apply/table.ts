/** Writes a partition table; looks once more before it does. */
import type { System } from '../../../system/system.ts';
import type { TableAction } from '../plan/step.ts';
import { readDisks } from './block-devices.ts';
import { busybox } from './command.ts';
import { tableBytes } from './partition-table.ts';
import { done, failed, type StepResult } from './result.ts';
import { flush, whileWriting, wipeEnds, writeAt } from './writing.ts';

const NODE_PATIENCE_MS = 5000;
const STEP_MS = 20;

export async function applyTable(system: System, action: TableAction): Promise<StepResult> {
  const disk = readDisks(system).find(({ path }) => path === action.device);
  if (disk === undefined) return failed(`there is no disk ${action.device}`);
  if (disk.own) return failed(`${action.device} is the disk that this machine runs from`);
  if (disk.inUse || disk.partitions.some(({ inUse }) => inUse)) return failed(`${action.device} is in use`);
  if (disk.sizeBytes !== action.diskBytes)
    return failed(`${action.device} is another disk than a moment ago`);
  const isEmpty = disk.table === null && disk.content.kind === 'empty';
  if (!isEmpty && action.overwrite === 'if-empty') return failed(`${action.device} is not empty`);
  const once = action.overwrite === 'replace' ? JSON.stringify(action) : null;
  const problem = await whileWriting(system, action.device, once, () => writeTable(system, action));
  return problem === undefined ? done(true) : failed(problem);
}

/** The old table goes first, then what stands at the ends of each new partition, then the new one comes. */
async function writeTable(system: System, action: TableAction): Promise<string | undefined> {
  const { device, diskBytes, sectorBytes, partitions } = action;
  let problem = wipeEnds(system, device, 0, diskBytes) ?? (await flush(system, device));
  for (const { start, sectors } of partitions)
    problem ??= wipeEnds(system, device, start * sectorBytes, sectors * sectorBytes);
  if (partitions.length > 0)
    for (const { offset, bytes } of tableBytes(action, (count) => system.randomBytes(count)))
      problem ??= writeAt(system, device, offset, bytes) ?? (await flush(system, device));
  if (problem !== undefined) return problem;
  const { code, says } = await busybox(system, ['blockdev', '--rereadpt', device]);
  if (code !== 0) return `the kernel does not read the new table of ${device}: ${says}`;
  const endMs = system.uptimeMs() + NODE_PATIENCE_MS;
  const expected = partitions.length;
  while (readDisks(system).find(({ path }) => path === device)?.partitions.length !== expected) {
    if (system.uptimeMs() > endMs) return `the partitions of ${device} do not appear`;
    await new Promise<void>((resolve) => void system.after(STEP_MS, resolve));
  }
  return undefined;
}
