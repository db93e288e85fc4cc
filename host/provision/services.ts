/** `services:` of a configuration: checked and prepared by the program for that, told as keys of the configuration. */
import type { Diagnostic } from '../../spec/diagnostic.ts';
import type { ProvisionedMachine, ProvisioningPolicy } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';
import type { Verdict } from './plan/step.ts';
import type { Reading } from './read.ts';
import { runServices } from './services/run.ts';
import type { Found } from './source/found.ts';

export interface PreparedServices {
  readonly services: ProvisionedMachine['services'];
  readonly verdicts: readonly Verdict[];
  readonly changed: boolean;
}

/** Throws SlipwayError `services.program`. */
export async function prepareServices(
  system: System,
  policy: ProvisioningPolicy,
  { source }: Found,
  { config }: Reading,
  network: 'yes' | 'no',
): Promise<PreparedServices> {
  const running = runningMachine(system)?.services ?? [];
  const result = await runServices(system, config.services, {
    kind: 'prepare',
    rights: policy.sources[source] ?? [],
    network,
    inUse: running.map(({ bundle }) => bundle),
  });
  const faults = result.diagnostics.filter(({ severity }) => severity === 'error').map(verdictOf);
  const outcomes = result.outcomes.map(({ name, at, state, reason }): Verdict => ({
    key: 'services',
    at,
    state,
    reason: reason === null ? null : `${name}: ${reason}`,
  }));
  const changed = JSON.stringify(running) !== JSON.stringify(result.services);
  return { services: result.services, verdicts: [...faults, ...outcomes], changed };
}

/** Faults and warnings alone: nothing is fetched, nothing written. */
export async function serviceFaults(
  system: System,
  policy: ProvisioningPolicy,
  { source }: Found,
  { config }: Reading,
): Promise<readonly Diagnostic[]> {
  if (config.services.length === 0) return [];
  const rights = policy.sources[source] ?? [];
  const request = { kind: 'check', rights, network: 'no', inUse: [] } as const;
  return (await runServices(system, config.services, request)).diagnostics;
}

/** What slipd lays over the signed description now. */
export function runningMachine(system: System): ProvisionedMachine | undefined {
  const text = system.readText(PATHS.machine);
  return text === undefined ? undefined : (JSON.parse(text) as ProvisionedMachine);
}

function verdictOf({ file, line, column, message, hint }: Diagnostic): Verdict {
  const reason = hint === undefined ? message : `${message} (${hint})`;
  return { key: 'services', at: { part: file, line, column }, state: 'failed', reason };
}
