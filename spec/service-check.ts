/** What only all services together can tell: dependencies that are missing, circular, or can never be met. */
import type { Diagnostic } from './diagnostic.ts';
import { faultAt, positionAt } from './located.ts';
import type { ServiceDefinition } from './service.ts';
import type { LocatedService } from './reading.ts';
import { nearest } from './suggest.ts';

export interface DefinedService {
  readonly located: LocatedService;
  readonly definition: ServiceDefinition;
}

export interface KnownServices {
  /** Services that are there but have faults of their own. */
  readonly faulty: ReadonlySet<string>;
  /** Services that no active profile takes, with their profiles. */
  readonly inactive: ReadonlyMap<string, readonly string[]>;
  /** `false` for a service file alone: other files of the image may hold what it depends on. */
  readonly complete: boolean;
}

/** Checks every dependency. */
export function checkServices(
  services: readonly DefinedService[],
  known: KnownServices,
): readonly Diagnostic[] {
  const byName = new Map(services.map((service) => [service.definition.name, service]));
  const faults = services.flatMap((service) =>
    service.definition.dependsOn.flatMap(
      (dependency) => checkDependency(service, dependency, byName, known) ?? [],
    ),
  );
  return [...faults, ...cycles(byName)];
}

function checkDependency(
  { located, definition }: DefinedService,
  dependency: ServiceDefinition['dependsOn'][number],
  byName: ReadonlyMap<string, DefinedService>,
  known: KnownServices,
): Diagnostic | undefined {
  const { service: name, condition, required } = dependency;
  const at = positionAt(located.node, ['depends_on', name], 'key');
  const fault = (message: string, hint?: string): Diagnostic =>
    faultAt(at, 'service.dependency', message, hint);
  const other = byName.get(name)?.definition;
  if (other === undefined) {
    if (!required || !known.complete || known.faulty.has(name)) return undefined;
    const profiles = known.inactive.get(name);
    if (profiles !== undefined) {
      return fault(
        `'${definition.name}' needs '${name}', which is only part of the profile ${profiles.join(', ')}`,
        'choose that profile, or write `required: false`',
      );
    }
    const meant = nearest(name, byName.keys());
    return fault(
      `'${definition.name}' needs a service '${name}', and the image has none`,
      meant === undefined ? 'include it, or write `required: false`' : `did you mean '${meant}'?`,
    );
  }
  if (other.type === 'onshutdown') return fault(`'${name}' runs at shutdown only: nothing can wait for it`);
  if (definition.type === 'onshutdown') return undefined;
  const conditionAt = positionAt(located.node, ['depends_on', name, 'condition']);
  if (condition === 'service_healthy' && other.healthCheck === undefined) {
    const hint =
      other.type === 'onboot' ? 'use service_completed_successfully' : `add a healthcheck to '${name}'`;
    return {
      ...faultAt(
        conditionAt,
        'service.dependency',
        `'${name}' can never be healthy: it has no healthcheck`,
        hint,
      ),
    };
  }
  if (
    condition === 'service_completed_successfully' &&
    (other.restart.policy === 'always' || other.restart.policy === 'unless-stopped')
  ) {
    return faultAt(
      conditionAt,
      'service.dependency',
      `'${name}' never completes: its restart policy is '${other.restart.policy}'`,
      'use service_started or service_healthy',
    );
  }
  return undefined;
}

/** Each cycle once, at the dependency that closes it. Iterative, so that a long chain is no deep recursion. */
function cycles(byName: ReadonlyMap<string, DefinedService>): readonly Diagnostic[] {
  const faults: Diagnostic[] = [];
  const done = new Set<string>();
  for (const start of byName.keys()) {
    const trail: { name: string; next: number }[] = done.has(start) ? [] : [{ name: start, next: 0 }];
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      const service = byName.get(top.name);
      const dependency = service?.definition.dependsOn[top.next];
      top.next += 1;
      if (service === undefined || dependency === undefined) {
        done.add(top.name);
        trail.pop();
        continue;
      }
      const index = trail.findIndex(({ name }) => name === dependency.service);
      if (index >= 0) {
        const ring = [...trail.slice(index).map(({ name }) => name), dependency.service];
        const at = positionAt(service.located.node, ['depends_on', dependency.service], 'key');
        faults.push(faultAt(at, 'service.cycle', `these services wait for each other: ${ring.join(' -> ')}`));
      } else if (!done.has(dependency.service)) trail.push({ name: dependency.service, next: 0 });
    }
  }
  return faults;
}
