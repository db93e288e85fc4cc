/**
 * Makes this machine what its configuration says: reads the documents, plans, applies, remembers, and says how it went. Everything in it can be
 * done again.
 */
import {
  PROVISIONING_PATHS,
  type ConfigStatus,
  type KeyStatus,
  type ProvisioningPolicy,
} from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { faultText, type Acquired } from './acquire.ts';
import { carryOut, forgetMachine, type CarriedOut, type Stage } from './carry-out.ts';
import { startInstallation } from './installing.ts';
import { PATHS } from './paths.ts';
import { lineOf, readFound, type Reading } from './read.ts';
import { goDown, restartServices } from './running.ts';
import type { Found } from './source/found.ts';
import { isOutOfSight } from './source/medium/devices.ts';
import { NO_CONFIGURATION, publishStatus } from './status.ts';
import { digestOf, readTried, recordOf, storeAdopted, storeOutcome } from './store/adopted.ts';
import { settle } from './store/durable.ts';
import { isOwnFailure } from './store/failure.ts';
import { storeIncluded } from './store/included.ts';
import type { AdoptedRecord } from './store/record.ts';
import { forgetRestore, isRestorable, storeRestore } from './store/restore.ts';

export async function configure(
  system: System,
  policy: ProvisioningPolicy,
  acquired: Acquired,
  stage: Stage,
): Promise<ConfigStatus> {
  const { found, record, adopted, fault } = acquired;
  // A server that is away harms no machine that was told before.
  const excused = fault?.passing === true && adopted !== undefined;
  const troubles = fault === undefined || excused ? [] : [fault.text];
  /** A state partition that is full, or fails: the machine comes up as it should all the same, and says so. */
  const keep = async (store: () => Promise<void> | void): Promise<void> => {
    try {
      await store();
    } catch (error) {
      troubles.push(`it cannot be kept: ${faultText(error)}`);
    }
  };
  if (found === undefined) {
    if (stage === 'online') await forgetMachine(system);
    // Until somebody says what this machine is to be, it asks.
    if (fault?.passing === true) makeDue(system);
    const nothing: ConfigStatus = {
      ...NO_CONFIGURATION,
      problems: troubles,
      state: fault === undefined ? 'none' : 'failed',
    };
    await publish(system, nothing, null, fault?.passing === true ? 'passing' : 'own');
    await settleState(system);
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
      revertsAt: readTried(system)?.revertsAt ?? null,
    };
    publishStatus(system, pending, 'quiet');
    return pending;
  }
  const errors = reading.diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.length > 0 && isNew && adopted !== undefined) {
    // Better the machine that it was than half of what somebody meant.
    const why = `the new configuration of ${found.origin} has faults, so the one before stays: ${errors.map(lineOf).join('; ')}`;
    const rejected = digestOf(wanted);
    const own = { text: why, passing: false };
    return configure(system, policy, { found: adopted, record, adopted, fault: own, rejected }, stage);
  }
  // Adopted before it is carried out: what a power cut interrupts is done again.
  if (isNew) await keep(() => storeAdopted(system, found, wanted));
  if (isNew || reading.includedAnew) await keep(() => keepIncluded(system, found, reading));
  const again = acquired.again === true || reading.includedAnew;
  const what = !isNew && record.complete && !again ? 'what a boot forgets' : 'all';
  const result = await carryOut(system, policy, found, reading, stage, what);
  const keys = mergeKeys(reading.keys, result.keys);
  const complete = !keys.some(({ state }) => state === 'failed');
  const kept: AdoptedRecord = { ...wanted, complete };
  if (isNew || record.complete !== complete) await keep(() => storeOutcome(system, kept));
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
    notes: excused ? [...found.notes, fault.text] : found.notes,
    revertsAt: tried?.revertsAt ?? null,
  };
  // A drive that needs a driver is looked into beside running services.
  const asks = isAsked(found) || reading.asksAgain || isOutOfSight(system, found.origin);
  // An image whose registry is away is asked for again soon; what waits for the next boot is not.
  const awaited = keys.some(({ key, state }) => key === 'services' && state === 'pending');
  if (stage === 'boot' ? pending || asks : awaited) makeDue(system);
  const published = await publish(system, status, acquired.rejected ?? status.digest, 'own');
  await remember(system, kept, result, published, asks).catch(() => undefined);
  await settleState(system);
  if (stage === 'online') await restartServices(system, result.restart);
  if (result.power !== null) goDown(system, result.power);
  const { install } = result.plan;
  if (install !== null && status.state === 'applied') startInstallation(system, install);
  return published;
}

/** `digest`: of what failed, where anything did. `passing`: a server's failure. What a version on trial refuses that the one before allowed is its failure. */
async function publish(
  system: System,
  status: ConfigStatus,
  digest: string | null,
  whose: 'own' | 'passing',
): Promise<ConfigStatus> {
  const failed = status.state === 'failed';
  const refused = status.keys.flatMap(({ key, state }) => (state === 'refused' ? [key] : []));
  const own =
    (await isOwnFailure(system, { digest, failed, refused })) && !(whose === 'passing' && isTrial(system));
  const published: ConfigStatus = own ? { ...status, state: 'failed' } : status;
  publishStatus(system, published, 'loud', own ? 'shut' : 'open');
  return published;
}

/** What came of it is of no use before all of it was said, and written: so it is settled once. */
async function settleState(system: System): Promise<void> {
  await settle(system, PROVISIONING_PATHS.state).catch(() => undefined);
}

/** Those of a configuration that may return stay. */
function keepIncluded(system: System, { instanceId }: Found, { included }: Reading): Promise<void> {
  const others = readTried(system) === undefined ? 'remove' : 'keep';
  return storeIncluded(system, instanceId, included, others);
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
  storeRestore(system, {
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

/** Sources that are asked over the network may have something new; what was adopted from them knows them by their address alone. */
function isAsked({ origin }: Found): boolean {
  return /^https?:\/\//.test(origin);
}

function makeDue(system: System): void {
  system.writeText(PATHS.due, '', 0o600);
}

function isTrial(system: System): boolean {
  return system.readText('/run/slipway/boot/trial')?.trim() === '1';
}
