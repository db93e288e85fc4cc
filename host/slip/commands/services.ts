import type { ServiceStatus } from '../../../spec/machine.ts';
import { formatBytes, formatDuration, formatTable } from '../../../system/format.ts';
import { statusPage } from './ask-status.ts';

export const servicesCommand = statusPage(
  { name: 'services', summary: 'state, health, restarts, memory and uptime of each service' },
  (status) => status.services,
  serviceTable,
);

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
