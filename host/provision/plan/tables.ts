/**
 * `disk_setup`. As Ignition does: partitions that are there are compared with what is wanted, and kept or refused; a table is written on an empty
 * disk, or where `overwrite: true` says that everything may go (docs/operator-notes of Ignition, "partition reuse").
 */
import type { DiskEntry, MachineConfig } from '../config.ts';
import { describeContent, findDevice, OWN_DISK, partitionPath } from './devices.ts';
import type { DiskFacts, MachineFacts } from './facts.ts';
import { partitionType, sameType } from './partition-types.ts';
import type { Step, TableAction, Verdict } from './step.ts';

const KEY = 'disk_setup';
const ALIGNMENT_BYTES = 1024 * 1024;
const MBR_LIMIT = 0xffff_ffff;

export interface PlannedTables {
  readonly steps: readonly Step[];
  readonly verdicts: readonly Verdict[];
  /** As they are once the steps are done. */
  readonly disks: readonly DiskFacts[];
}

export function planTables(config: MachineConfig, facts: MachineFacts): PlannedTables {
  const steps: Step[] = [];
  const verdicts: Verdict[] = [];
  let disks = facts.disks;
  for (const entry of config.disks) {
    const { path, device } = findDevice(entry.device.value, config, disks);
    const outcome =
      device === undefined
        ? failed(`there is no disk ${path}`)
        : device.partition !== undefined
          ? failed(`${path} is a partition, not a disk`)
          : planTable(entry, device.disk);
    if ('kind' in outcome) {
      steps.push({ key: KEY, at: entry.at, phase: 'state', ...outcome });
      disks = disks.map((disk) => (disk.path === path ? afterwards(disk, outcome) : disk));
    } else verdicts.push({ key: KEY, at: entry.at, ...outcome });
  }
  return { steps, verdicts, disks };
}

type Outcome = Pick<Verdict, 'state' | 'reason'>;

function planTable({ layout, table, overwrite }: DiskEntry, disk: DiskFacts): Outcome | TableAction {
  if (disk.own) return { state: 'refused', reason: OWN_DISK };
  if (layout.value === 'none') return { state: 'applied', reason: 'no partitions are asked for' };
  const wanted =
    layout.value === 'remove'
      ? []
      : wantedPartitions(
          layout.value === 'whole' ? [{ percent: 100, type: null }] : layout.value,
          table.value,
          disk,
        );
  if ('problem' in wanted) return failed(wanted.problem);
  const present = disk.table;
  const isEmpty = present === null && disk.content.kind === 'empty';
  if (layout.value === 'remove' ? isEmpty : hasThem(disk, table.value, wanted))
    return { state: 'applied', reason: `${disk.path} is so already` };
  if (disk.readOnly) return failed(`${disk.path} is read-only`);
  if (disk.inUse || disk.partitions.some(({ inUse }) => inUse)) return failed(`${disk.path} is in use`);
  if (!isEmpty && !overwrite.value)
    return failed(`${disk.path} holds ${described(disk)}: \`overwrite: true\` would erase it`);
  return {
    kind: 'partition-table',
    device: disk.path,
    table: table.value,
    partitions: wanted,
    diskBytes: disk.sizeBytes,
    sectorBytes: disk.sectorBytes,
    overwrite: isEmpty ? 'if-empty' : 'replace',
  };
}

function wantedPartitions(
  parts: readonly { readonly percent: number; readonly type: string | null }[],
  table: 'gpt' | 'mbr',
  { sectorBytes, sizeBytes }: DiskFacts,
): TableAction['partitions'] | { readonly problem: string } {
  if (parts.length > (table === 'mbr' ? 4 : 128))
    return { problem: 'a table of type mbr has four partitions at most' };
  const step = ALIGNMENT_BYTES / sectorBytes;
  // Kept free: the first megabyte, and the last for the copy of a GPT.
  const total = Math.floor(sizeBytes / ALIGNMENT_BYTES) - 2;
  const percents = parts.reduce((sum, { percent }) => sum + percent, 0);
  if (percents > 100) return { problem: `the partitions are ${percents} percent of the disk` };
  const found: { start: number; sectors: number; type: string }[] = [];
  let share = 0;
  for (const { percent, type } of parts) {
    const from = Math.floor((total * share) / 100);
    share += percent;
    const to = Math.floor((total * share) / 100);
    const code = partitionType(type, table);
    if (code === undefined)
      return { problem: `'${type ?? ''}' is no type of a partition in a table of type ${table}` };
    if (to <= from) return { problem: 'the disk is too small for these partitions' };
    found.push({ start: (from + 1) * step, sectors: (to - from) * step, type: code });
  }
  if (table === 'mbr' && found.some(({ start, sectors }) => start + sectors > MBR_LIMIT))
    return { problem: 'the disk is too large for a table of type mbr: say `table_type: gpt`' };
  return found;
}

/** Sizes may differ: a disk that has grown keeps what it has. */
function hasThem(disk: DiskFacts, table: 'gpt' | 'mbr', wanted: TableAction['partitions']): boolean {
  const present = [...disk.partitions].sort((a, b) => a.startSector - b.startSector);
  return (
    disk.table?.kind === table &&
    present.length === wanted.length &&
    wanted.every(({ type }, index) => sameType(present[index]?.type ?? '', type))
  );
}

function described({ table, partitions, content }: DiskFacts): string {
  if (table === null) return describeContent(content);
  const count = partitions.length;
  return `a table of type ${table.kind} with ${count} ${count === 1 ? 'partition' : 'partitions'}`;
}

/** Applying wipes the ends of each new partition: what an older one left there is gone. */
function afterwards(disk: DiskFacts, action: TableAction): DiskFacts {
  return {
    ...disk,
    content: { kind: 'empty' },
    table: action.partitions.length === 0 ? null : { kind: action.table, id: '' },
    partitions: action.partitions.map(({ start, sectors, type }, index) => ({
      number: index + 1,
      path: partitionPath(disk.path, index + 1),
      startSector: start,
      sectors,
      type,
      inUse: false,
      content: { kind: 'empty' },
    })),
  };
}

function failed(reason: string): Outcome {
  return { state: 'failed', reason };
}
