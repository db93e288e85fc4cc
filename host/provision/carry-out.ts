/** Plans what the documents of a source ask for, and does it: accounts, files, the network, services. */
import type { ProvisionedMachine, ProvisioningPolicy } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { applyPlan, type Applied } from './apply/apply.ts';
import { readFacts } from './apply/facts.ts';
import { removeForgotten } from './apply/settings.ts';
import { applyNetwork } from './network/apply.ts';
import { NETWORK_SERVICE } from './network/paths.ts';
import type { NetworkPlan } from './network/plan.ts';
import { PATHS } from './paths.ts';
import { refusal } from './plan/permission.ts';
import { planConfig } from './plan/plan.ts';
import type { ConfigPlan, Phase, Step, Verdict } from './plan/step.ts';
import type { Reading } from './read.ts';
import { restartServices } from './running.ts';
import { prepareServices, type PreparedServices } from './services.ts';
import type { Found } from './source/found.ts';
import { createHttpClient } from './source/http/client.ts';
import { wakeSlipd } from './status.ts';

/** `boot`: before any service runs, without a network. `online`: beside running services. */
export type Stage = 'boot' | 'online';

const PHASES: Readonly<Record<Stage, readonly Phase[]>> = {
  boot: ['early', 'state'],
  online: ['state', 'online', 'final'],
};
/** Everything that is fetched, together. */
const FETCH_BUDGET_MS = 600_000;
const AT_START = { part: 'network-config', line: 1, column: 1 } as const;

export interface CarriedOut extends Pick<Applied, 'keys' | 'restart' | 'power'> {
  readonly plan: ConfigPlan;
  readonly network: NetworkPlan | undefined;
  readonly machine: ProvisionedMachine;
}

export async function carryOut(
  system: System,
  policy: ProvisioningPolicy,
  found: Found,
  reading: Reading,
  stage: Stage,
  what: 'all' | 'what a boot forgets',
): Promise<CarriedOut> {
  const { plan, network, verdicts } = await planFound(system, policy, found, reading);
  const steps = what === 'all' ? plan.steps : plan.steps.filter((step) => !lasts(step));
  const networkChanged = applyNetwork(system, network) === 'changed';
  let services: PreparedServices = { services: [], verdicts: [], changed: false };
  const applied = await applyPlan(
    system,
    { ...plan, steps, verdicts },
    {
      ...phasesOf(system, stage, found),
      ...(stage === 'boot'
        ? {}
        : {
            http: createHttpClient(system, { endsAtMs: system.uptimeMs() + FETCH_BUDGET_MS }),
          }),
      services: async () => {
        services = await prepareServices(system, policy, found, reading, stage === 'boot' ? 'no' : 'yes');
        return services;
      },
      version: imageVersion(system),
    },
  );
  system.writeText(PATHS.early, '', 0o600);
  const machine: ProvisionedMachine = { format: '1.0', ...applied.machine, services: services.services };
  writeMachine(system, machine);
  const restart = networkChanged ? [...new Set([...applied.restart, NETWORK_SERVICE])] : applied.restart;
  return { keys: applied.keys, restart, power: applied.power, plan, network, machine };
}

export interface PlannedFound {
  readonly plan: ConfigPlan;
  readonly network: NetworkPlan | undefined;
  readonly verdicts: readonly Verdict[];
}

export async function planFound(
  system: System,
  policy: ProvisioningPolicy,
  found: Found,
  reading: Reading,
): Promise<PlannedFound> {
  const plan = planConfig(reading.config, await readFacts(system, reading.config, found), policy);
  const { network, verdicts } = await planFoundNetwork(system, policy, found, reading);
  return { plan, network, verdicts: [...plan.verdicts, ...verdicts] };
}

/** Nobody has anything to say any more: the machine is as the image has it. */
export async function forgetMachine(system: System): Promise<void> {
  const hadMachine = system.remove(PATHS.machine);
  const gone = removeForgotten(system, []);
  const network = applyNetwork(system, undefined) === 'changed' ? [NETWORK_SERVICE] : [];
  if (hadMachine) wakeSlipd(system);
  await restartServices(system, [...new Set([...gone.restart, ...network])]);
}

/** What runs at every boot runs once in it: before the services where the source was there by then, else as soon as the network gave it. */
function phasesOf(
  system: System,
  stage: Stage,
  { source }: Found,
): { readonly phases: readonly Phase[]; readonly before?: readonly Phase[] } {
  if (stage === 'boot') return { phases: PHASES.boot };
  const isLate = source !== 'operator' && system.status(PATHS.early) === undefined;
  return isLate ? { phases: ['early', ...PHASES.online] } : { phases: PHASES.online, before: ['early'] };
}

async function planFoundNetwork(
  system: System,
  policy: ProvisioningPolicy,
  { source }: Found,
  { network }: Reading,
): Promise<{ readonly network: NetworkPlan | undefined; readonly verdicts: readonly Verdict[] }> {
  if (network === undefined) return { network: undefined, verdicts: [] };
  const key = 'network-config';
  if (policy.sources[source]?.includes('network') !== true)
    return { network: undefined, verdicts: [refusal(key, AT_START, 'network', source, policy)] };
  const { planNetwork } = await import('./network/plan.ts');
  const { readNetworkFacts } = await import('./network/facts.ts');
  const plan = planNetwork(network, readNetworkFacts(system));
  const problems = plan.problems.map(({ line, message, kind }): Verdict => {
    const at = { ...AT_START, line };
    // A card may come later.
    return { key, at, state: kind === 'missing-card' ? 'ignored' : 'failed', reason: message };
  });
  return { network: plan, verdicts: [{ key, at: AT_START, state: 'applied', reason: null }, ...problems] };
}

/** Done once for a configuration; what somebody changed since is his. */
function lasts(step: Step): boolean {
  const kinds: readonly Step['kind'][] = ['host-keys', 'random-seed', 'partition-table', 'format'];
  return kinds.includes(step.kind) || (step.kind === 'file' && step.path.startsWith('/var/'));
}

function writeMachine(system: System, machine: ProvisionedMachine): void {
  const text = `${JSON.stringify(machine)}\n`;
  if (system.readText(PATHS.machine) !== text) system.writeText(PATHS.machine, text, 0o600);
}

function imageVersion(system: System): string {
  return system.readText('/run/slipway/boot/version')?.trim() ?? '';
}
