/** Hands a plan to the `network` service, and reads what came of it. */
import type { System } from '../../../system/system.ts';
import { NETWORK_PATHS } from './paths.ts';
import type { NetworkPlan } from './plan.ts';

/**
 * Writes what the `network` service reads at its start. To be called
 *
 * - at each boot before slipd starts, from the stored copy of the network configuration (nothing of /run/slipway survives), and
 * - when a configuration is adopted, changed, tried or taken back: `undefined` takes the plan away, and every Ethernet card gets DHCP.
 *
 * With 'changed', a caller that runs beside slipd restarts the service (`slip service restart network`): as it starts, it takes back
 * what the plan before had made. Throws when the file cannot be written.
 */
export function applyNetwork(system: System, plan: NetworkPlan | undefined): 'changed' | 'unchanged' {
  const { directory, plan: path } = NETWORK_PATHS;
  const before = system.readText(path);
  if (before === plan?.text) return 'unchanged';
  if (plan === undefined) system.remove(path);
  else {
    system.makeDirectory(directory);
    system.writeText(path, plan.text, 0o644);
  }
  return 'changed';
}

/** What the service could not do as planned, one line each; `undefined` while it has not yet said anything. */
export function networkProblems(system: System): readonly string[] | undefined {
  const text = system.readText(NETWORK_PATHS.problems);
  return text?.split('\n').filter((line) => line !== '');
}
