/** Services as a table, as `slip status` shows them on the machine. */
import { table } from './table.ts';
import type { MachineStatus, ServiceStatus } from '../spec/machine.ts';

export function serviceTable(status: MachineStatus): string {
  const rows = status.services.map((service) => [
    service.name,
    service.state,
    service.health === 'none' ? '-' : service.health,
    service.gate ? 'yes' : 'no',
    String(service.restarts),
    service.memoryBytes === null ? '-' : `${(service.memoryBytes / 1e6).toFixed(1)} MB`,
    uptime(service),
  ]);
  return table(['SERVICE', 'STATE', 'HEALTH', 'GATE', 'RESTARTS', 'MEMORY', 'UP'], rows);
}

function uptime(service: ServiceStatus): string {
  return service.uptimeMs === null ? '-' : `${(service.uptimeMs / 1000).toFixed(0)} s`;
}
