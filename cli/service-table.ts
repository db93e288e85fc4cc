/** Services as a table, as `slip status` shows them on the machine. */
import type { MachineStatus, ServiceStatus } from '../spec/machine.ts';

export function serviceTable(status: MachineStatus): string {
  const rows = status.services.map((service) => [
    service.name,
    service.state,
    service.health === 'none' ? '-' : service.health,
    service.gate ? 'gate' : '',
    String(service.restarts),
    service.memoryBytes === null ? '-' : `${(service.memoryBytes / 1e6).toFixed(1)} MB`,
    uptime(service),
  ]);
  return table([['SERVICE', 'STATE', 'HEALTH', '', 'RESTARTS', 'MEMORY', 'UP'], ...rows]);
}

/** Columns as wide as their widest cell. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function uptime(service: ServiceStatus): string {
  return service.uptimeMs === null ? '-' : `${(service.uptimeMs / 1000).toFixed(0)} s`;
}
