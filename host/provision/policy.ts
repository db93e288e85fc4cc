/** The owner's policy, from the verified root: who is heard, and what each may do. */
import {
  DATASOURCES,
  PROVISIONING_PATHS,
  type DatasourceName,
  type ProvisioningPolicy,
} from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';

/** `undefined`: this image has no provisioner. */
export function readPolicy(system: System): ProvisioningPolicy | undefined {
  const text = system.readText(PROVISIONING_PATHS.policy);
  return text === undefined ? undefined : (JSON.parse(text) as ProvisioningPolicy);
}

/** Nobody but one source is heard. */
export function onlyHearing(policy: ProvisioningPolicy, source: DatasourceName): ProvisioningPolicy {
  const rights = policy.sources[source];
  return { ...policy, platform: 'auto', sources: rights === undefined ? {} : { [source]: rights } };
}

export function hears(policy: ProvisioningPolicy, source: DatasourceName): boolean {
  return policy.sources[source] !== undefined;
}

export function isDatasource(value: unknown): value is DatasourceName {
  return DATASOURCES.some((name) => name === value);
}
