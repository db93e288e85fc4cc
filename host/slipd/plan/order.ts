/** Who waits for whom. */
import type { MachineDescription, MachineService } from '../../../spec/machine.ts';
import type { Memory, ServiceMemory } from './memory.ts';
import { isFailing } from './restart.ts';

/** Why a service cannot start yet, in one line; `null` when it can. */
export function blockedBy(service: MachineService, memory: Memory, nowMs: number): string | null {
  for (const dependency of service.dependsOn) {
    const other = memory.services[dependency.service];
    if (other === undefined) {
      if (dependency.required) return `needs ${dependency.service}, which is not in this image`;
      continue;
    }
    if (isMet(dependency.condition, other)) continue;
    if (!dependency.required && hasGivenUp(dependency.condition, other, nowMs)) continue;
    return `waits for ${dependency.service} ${PHRASES[dependency.condition]}`;
  }
  return null;
}

/** Services that depend on this one and have a process: they stop before it. */
export function runningDependants(
  description: MachineDescription,
  memory: Memory,
  name: string,
): readonly string[] {
  return description.services
    .filter(
      (service) =>
        service.dependsOn.some((dependency) => dependency.service === name) &&
        service.name !== name &&
        memory.services[service.name]?.phase !== 'down',
    )
    .map((service) => service.name);
}

/** Services that Compose restarts together with this one (`depends_on: restart: true`). */
export function restartedWith(description: MachineDescription, name: string): readonly string[] {
  return description.services
    .filter((service) =>
      service.dependsOn.some((dependency) => dependency.service === name && dependency.restart),
    )
    .map((service) => service.name);
}

const PHRASES = {
  service_started: 'to start',
  service_healthy: 'to be healthy',
  service_completed_successfully: 'to complete',
} as const;

function isMet(condition: keyof typeof PHRASES, other: ServiceMemory): boolean {
  switch (condition) {
    case 'service_started':
      return other.phase === 'up' || hasCompleted(other);
    case 'service_healthy':
      return other.phase === 'up' && other.health.state === 'healthy';
    case 'service_completed_successfully':
      return hasCompleted(other);
  }
}

/** An optional dependency is waited for only as long as there is hope. */
function hasGivenUp(condition: keyof typeof PHRASES, other: ServiceMemory, nowMs: number): boolean {
  if (other.phase === 'down' && !other.wanted) return true;
  if (isFailing(other, nowMs)) return true;
  return condition === 'service_healthy' && other.health.state === 'unhealthy';
}

/** It ended by itself, and well. */
export function hasCompleted(other: ServiceMemory): boolean {
  return (
    other.phase === 'down' && other.lastExit !== null && other.lastExit.code === 0 && !other.lastExit.wanted
  );
}
