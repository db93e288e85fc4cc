/** Machine descriptions for tests. */
import type { HealthCheck, MachineDescription, MachineService } from '../../../../spec/machine.ts';

export function service(name: string, change: Partial<MachineService> = {}): MachineService {
  return {
    name,
    type: 'service',
    gate: false,
    dependsOn: [],
    restart: { policy: 'always' },
    stopSignal: 'SIGTERM',
    stopGraceMs: 10_000,
    directories: [],
    writable: false,
    ...change,
  };
}

export function dependency(
  name: string,
  condition: MachineService['dependsOn'][number]['condition'] = 'service_started',
  change: Partial<MachineService['dependsOn'][number]> = {},
): MachineService['dependsOn'][number] {
  return { service: name, condition, required: true, restart: false, ...change };
}

export function check(change: Partial<HealthCheck> = {}): HealthCheck {
  return {
    command: ['/bin/true'],
    intervalMs: 30_000,
    timeoutMs: 5_000,
    retries: 3,
    startPeriodMs: 0,
    startIntervalMs: 5_000,
    ...change,
  };
}

export function describeMachine(...services: readonly MachineService[]): MachineDescription {
  return {
    format: '1.0',
    image: { name: 'test', version: '1.0.0', architecture: 'amd64' },
    shell: true,
    gateSoakMs: 10_000,
    users: [],
    services,
  };
}
