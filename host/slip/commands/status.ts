import type { MachineStatus } from '../../../spec/machine.ts';
import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { formatBytes, formatDuration, formatTable } from '../../../system/format.ts';
import { fail, print } from '../output.ts';
import { serviceTable } from './services.ts';

export const statusCommand: Command = {
  name: 'status',
  synopsis: '',
  summary: 'the machine and its services',
  flags: [],
  json: true,
  words: [0, 0],
  run: (system, _parsed, format) => {
    ask(system, { kind: 'status' }, [], {
      reply: (reply) => {
        if (reply.type !== 'status') return;
        print(system, format === 'json' ? JSON.stringify(reply.status) : describe(reply.status));
        system.exit(0);
      },
      failed: (failure) => fail(system, failure, format),
    });
  },
};

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
    ...status.problems.map((problem, index) => [index === 0 ? 'problems' : '', problem]),
  ];
  return `${formatTable(rows)}\n\n${serviceTable(status.services)}`;
}
