import type { MachineStatus } from '../../../spec/machine.ts';
import { formatBytes, formatDuration, formatTable } from '../../../system/format.ts';
import { statusPage } from './ask-status.ts';
import { serviceTable } from './services.ts';

export const statusCommand = statusPage(
  { name: 'status', summary: 'the machine and its services' },
  (status) => status,
  describe,
);

/** The page that `slip status` prints. */
export function describe(status: MachineStatus): string {
  const { image, memory } = status;
  const used = memory.totalBytes - memory.availableBytes;
  const rows = [
    ['image', `${image.name} ${image.version} (${image.architecture})`],
    [
      'slot',
      status.rootHash === '' ? status.slot : `${status.slot}, root hash ${status.rootHash.slice(0, 16)}...`,
    ],
    ['boot', status.boot],
    ['uptime', formatDuration(status.uptimeMs)],
    ['memory', `${formatBytes(used)} of ${formatBytes(memory.totalBytes)} used`],
    ['watchdog', status.watchdog],
    ...updateRows(status.update),
    ...status.problems.map((problem, index) => [index === 0 ? 'problems' : '', problem]),
  ];
  return `${formatTable(rows)}\n\n${serviceTable(status.services)}`;
}

function updateRows(update: MachineStatus['update']): string[][] {
  if (update === undefined) return [];
  const waiting = update.gates.filter(({ state }) => state !== 'healthy').map(({ name }) => name);
  const state = {
    trial: `on trial${waiting.length === 0 ? '' : `, waiting for the gates ${waiting.join(' and ')}`}`,
    committed: 'committed',
    degraded: 'not good, and there is no version to return to',
  }[update.state];
  return [
    ['version', update.reason === null ? state : `${state}: ${update.reason}`],
    ...(update.next === null ? [] : [['', `${update.next} is tried at the next start`]]),
    ...update.failed.map(({ version, reason }) => ['', `${version} was given up: ${reason}`]),
  ];
}
