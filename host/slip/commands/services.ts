import type { ServiceStatus } from '../../../spec/machine.ts';
import { ask } from '../client.ts';
import type { Command } from '../command.ts';
import { formatBytes, formatDuration, formatTable } from '../../../system/format.ts';
import { fail, print } from '../output.ts';

export const servicesCommand: Command = {
  name: 'services',
  synopsis: '',
  summary: 'state, health, restarts, memory and uptime of each service',
  flags: [],
  json: true,
  words: [0, 0],
  run: (system, _parsed, format) => {
    ask(system, { kind: 'status' }, [], {
      reply: (reply) => {
        if (reply.type !== 'status') return;
        const { services } = reply.status;
        print(system, format === 'json' ? JSON.stringify(services) : serviceTable(services));
        system.exit(0);
      },
      failed: (failure) => fail(system, failure, format),
    });
  },
};

/** A gate is marked with a star. */
export function serviceTable(services: readonly ServiceStatus[]): string {
  if (services.length === 0) return 'no services';
  const rows = services.map((service) => [
    `${service.name}${service.gate ? '*' : ''}`,
    service.state,
    service.health === 'none' ? '-' : service.health,
    `${service.restarts}`,
    formatBytes(service.memoryBytes),
    formatDuration(service.uptimeMs),
    service.reason ?? '',
  ]);
  return formatTable([['SERVICE', 'STATE', 'HEALTH', 'RESTARTS', 'MEMORY', 'UPTIME', ''], ...rows], [3, 4]);
}
