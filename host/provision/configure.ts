/**
 * Makes this machine what its configuration says: reads the documents, plans, applies, remembers, and says how it went. Everything in it can be
 * done again.
 */
import type {
  ConfigStatus,
  KeyStatus,
  ProvisionedMachine,
  ProvisioningPolicy,
} from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { faultText, type Acquired } from './acquire.ts';
import { applyPlan, type Applied } from './apply/apply.ts';
import { readFacts } from './apply/facts.ts';
import { startInstallation } from './installing.ts';
import { applyNetwork } from './network/apply.ts';
import { readNetworkFacts } from './network/facts.ts';
import { NETWORK_SERVICE } from './network/paths.ts';
import { planNetwork, type NetworkPlan } from './network/plan.ts';
import { PATHS } from './paths.ts';
import { planConfig } from './plan/plan.ts';
import type { ConfigPlan, Phase, Step, Verdict } from './plan/step.ts';
import { lineOf, readFound, type Reading } from './read.ts';
import { goDown, restartServices } from './running.ts';
import { prepareServices, type PreparedServices } from './services.ts';
import type { Found } from './source/found.ts';
import { createHttpClient } from './source/http/client.ts';
import { NO_CONFIGURATION, publishStatus } from './status.ts';
import { isOwnFailure } from './store/failure.ts';
import { digestOf, readTried, recordOf, storeAdopted, storeRecord } from './store/adopted.ts';
import type { AdoptedRecord } from './store/record.ts';
import { forgetRestore, isRestorable, storeRestore } from './store/restore.ts';

/** `boot`: before any service runs, without a network. `online`: beside running services. */
export type Stage = 'boot' | 'online';

const PHASES: Readonly<Record<Stage, readonly Phase[]>> = {
  boot: ['early', 'state'],
  online: ['state', 'online', 'final'],
};
/** Everything that is fetched, together. */
const FETCH_BUDGET_MS = 600_000;
const AT_START = { part: 'network-config', line: 1, column: 1 } as const;

export async function configure(
  system: System,
  policy: ProvisioningPolicy,
  acquired: Acquired,
  stage: Stage,
): Promise<ConfigStatus> {
  const { found, record, adopted, fault } = acquired;
  const troubles = fault === undefined ? [] : [fault];
  /** A state partition that is full, or fails: the machine comes up as it should all the same, and says so. */
  const keep = async (storing: Promise<void>): Promise<void> =>
    storing.catch((error: unknown) => void troubles.push(`it cannot be kept: ${faultText(error)}`));
  if (found === undefined) {
    if (stage === 'online') forgetMachine(system);
    const nothing: ConfigStatus = {
      ...NO_CONFIGURATION,
      problems: troubles,
      state: fault === undefined ? 'none' : 'failed',
    };
    await publish(system, nothing, null);
    return nothing;
  }
  const wanted = recordOf(found, false);
  const isNew =
    record === undefined || digestOf(record) !== digestOf(wanted) || record.source !== wanted.source;
  const reading = await readFound(system, found, stage === 'boot' ? 'offline' : 'fetch');
  if (reading.needsNetwork) {
    makeDue(system);
    if (isNew && adopted !== undefined)
      return configure(system, policy, { ...acquired, found: adopted }, stage);
    const pending: ConfigStatus = {
      ...headOf(found, wanted),
      state: 'pending',
      keys: reading.keys,
      problems: [],
      notes: found.notes,
      revertsAt: null,
    };
    publishStatus(system, pending, 'quiet');
    return pending;
  }
  const errors = reading.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0 && isNew && adopted !== undefined) {
    // Better the machine that it was than half of what somebody meant.
    const why = `the new configuration of ${found.origin} has faults, so the one before stays: ${errors.map(lineOf).join('; ')}`;
    const rejected = digestOf(wanted);
    return configure(system, policy, { found: adopted, record, adopted, fault: why, rejected }, stage);
  }
  // Adopted before it is carried out: what a power cut interrupts is done again.
  if (isNew) await keep(storeAdopted(system, found, wanted));
  const what = !isNew && record.complete && acquired.again !== true ? 'what a boot forgets' : 'all';
  const result = await carryOut(system, policy, found, reading, stage, what);
  const keys = mergeKeys(reading.keys, result.keys);
  const complete = !keys.some(({ state }) => state === 'failed');
  const kept: AdoptedRecord = { ...wanted, complete };
  if (isNew || record.complete !== complete) await keep(storeRecord(system, kept));
  const problems = [
    ...troubles,
    ...errors.map(lineOf),
    ...keys
      .filter(({ state }) => state === 'failed' || state === 'refused')
      .map(
        ({ key, state, file, line, reason }) =>
          `${file}:${line}: ${key}: ${state}${reason === null ? '' : `: ${reason}`}`,
      ),
  ];
  const failed = troubles.length + errors.length > 0 || keys.some(({ state }) => state === 'failed');
  const tried = readTried(system);
  const pending = keys.some(({ state }) => state === 'pending');
  const status: ConfigStatus = {
    ...headOf(found, wanted),
    state: failed ? 'failed' : tried !== undefined ? 'trying' : pending ? 'pending' : 'applied',
    keys,
    problems: [...new Set(problems)],
    notes: found.notes,
    revertsAt: tried?.revertsAt ?? null,
  };
  if (stage === 'boot' && (pending || isAsked(found))) makeDue(system);
  await publish(system, status, acquired.rejected ?? status.digest);
  await remember(system, kept, result, status, isAsked(found)).catch(() => undefined);
  if (stage === 'online') await restartServices(system, result.restart);
  if (result.power !== null) goDown(system, result.power);
  const { install } = reading.config;
  const mayWriteDisks = policy.sources[found.source]?.includes('disks') === true;
  if (install !== undefined && status.state === 'applied' && mayWriteDisks)
    startInstallation(system, install);
  return status;
}

/** `digest`: of what failed, where anything did. */
async function publish(system: System, status: ConfigStatus, digest: string | null): Promise<void> {
  const own = await isOwnFailure(system, status.state === 'failed', digest);
  publishStatus(system, status, 'loud', own ? 'shut' : 'open');
}

/** So that the next boot need not plan what it knows; never while something is tried, or another configuration is wanted than the adopted one. */
async function remember(
  system: System,
  record: AdoptedRecord,
  { plan, network, machine }: CarriedOut,
  status: ConfigStatus,
  asked: boolean,
): Promise<void> {
  const rootHash = system.readText('/run/slipway/boot/root-hash')?.trim() ?? '';
  const plain = status.state === 'applied' || status.state === 'pending';
  if (!plain || !isRestorable(plan.steps) || rootHash === '') return forgetRestore(system);
  const { services, ...rest } = machine;
  const waits = plan.steps.some(({ phase }) => phase === 'online' || phase === 'final');
  await storeRestore(system, {
    format: '1.0',
    rootHash,
    record,
    machine: rest,
    network: network?.text ?? null,
    names: plan.steps.flatMap(({ key: _k, at: _a, phase: _p, ...action }) =>
      action.kind === 'hostname' ? [action] : [],
    ),
    files: plan.steps.flatMap(({ key: _k, at: _a, phase: _p, ...action }) =>
      action.kind === 'runtime-file' ? [action] : [],
    ),
    status,
    due: asked || waits || services.length > 0 || plan.steps.some(({ kind }) => kind === 'services'),
  });
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
  const { network, verdicts } = planFoundNetwork(system, policy, found, reading);
  return { plan, network, verdicts: [...plan.verdicts, ...verdicts] };
}

interface CarriedOut extends Pick<Applied, 'keys' | 'restart' | 'power'> {
  readonly plan: ConfigPlan;
  readonly network: NetworkPlan | undefined;
  readonly machine: ProvisionedMachine;
}

async function carryOut(
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

function planFoundNetwork(
  system: System,
  policy: ProvisioningPolicy,
  { source }: Found,
  { network }: Reading,
): { readonly network: NetworkPlan | undefined; readonly verdicts: readonly Verdict[] } {
  if (network === undefined) return { network: undefined, verdicts: [] };
  const key = 'network-config';
  const rights = policy.sources[source] ?? [];
  if (!rights.includes('network')) {
    const line = `provisioning: { sources: { ${source}: [${[...rights, 'network'].join(', ')}] } }`;
    const reason = `this image does not let ${source} do that; its definition would by: ${line}`;
    return { network: undefined, verdicts: [{ key, at: AT_START, state: 'refused', reason }] };
  }
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

/** What stands in the documents, with what became of it. */
function mergeKeys(read: readonly KeyStatus[], applied: readonly KeyStatus[]): readonly KeyStatus[] {
  const settled = read.filter(
    ({ key, file, state }) =>
      state !== 'pending' || !applied.some((other) => other.key === key && other.file === file),
  );
  // What no step speaks of was done by another key's step, or had nothing to do.
  const own = settled.map((status): KeyStatus =>
    status.state === 'pending' ? { ...status, state: 'applied' } : status,
  );
  return [...own, ...applied].sort((a, b) =>
    a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1,
  );
}

function headOf(
  found: Found,
  record: ReturnType<typeof recordOf>,
): Pick<ConfigStatus, 'format' | 'source' | 'origin' | 'instanceId' | 'digest'> {
  const { source, origin, instanceId } = found;
  return { format: '1.0', source, origin, instanceId, digest: digestOf(record) };
}

/** Sources that are asked over the network may have something new. */
function isAsked({ seed, source }: Found): boolean {
  return seed === undefined && source !== 'operator';
}

function makeDue(system: System): void {
  system.writeText(PATHS.due, '', 0o600);
}

function writeMachine(system: System, machine: ProvisionedMachine): void {
  const text = `${JSON.stringify(machine)}\n`;
  if (system.readText(PATHS.machine) !== text) system.writeText(PATHS.machine, text, 0o600);
}

function forgetMachine(system: System): void {
  system.remove(PATHS.machine);
  applyNetwork(system, undefined);
}

function imageVersion(system: System): string {
  return system.readText('/run/slipway/boot/version')?.trim() ?? '';
}
