/**
 * What a boot forgets and the next one needs, so that an unchanged configuration costs no reading and planning: users, name, network, small files of
 * /run. Kept on the state partition, so each field is checked as if a stranger had written it: nothing here can do what the policy does not let
 * the source do. What cannot be checked that cheaply (services, mounts, scripts) is not here: it is planned anew.
 */
import {
  PROVISIONING_PATHS,
  type ConfigStatus,
  type ProvisionedMachine,
  type Right,
} from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { parseKeys } from '../../slipd/accounts.ts';
import type { HostnameAction, RuntimeFileAction, Step } from '../plan/step.ts';
import { readBounded, removeDurable, writeWhole } from './durable.ts';
import { isRecord, type AdoptedRecord } from './record.ts';

const DIRECTORY = PROVISIONING_PATHS.state;
const NAME = 'restore.json';
const LIMIT_BYTES = 1024 * 1024;
const NETWORK_LIMIT = 256 * 1024;

export interface Restore {
  readonly format: '1.0';
  /** Of the image that made it: another one plans anew. */
  readonly rootHash: string;
  /** Of the configuration that it was made from. */
  readonly record: AdoptedRecord;
  readonly machine: Omit<ProvisionedMachine, 'services'>;
  /** NetworkPlan.text */
  readonly network: string | null;
  readonly names: readonly HostnameAction[];
  readonly files: readonly RuntimeFileAction[];
  readonly status: ConfigStatus;
  /** There is more for slipd to start. */
  readonly due: boolean;
}

/** Kinds of steps that last, or are restored, or wait for slipd in any case; with any other, each boot plans anew. */
const CHEAP: readonly Step['kind'][] = [
  'accounts',
  'hostname',
  'runtime-file',
  'host-keys',
  'random-seed',
  'services',
];

/** Whether a boot with these steps can be restored. */
export function isRestorable(steps: readonly Step[]): boolean {
  return steps.every(
    (step) =>
      step.phase === 'online' ||
      step.phase === 'final' ||
      CHEAP.includes(step.kind) ||
      (step.kind === 'file' && step.path.startsWith('/var/')),
  );
}

/** To be settled. */
export function storeRestore(system: System, restore: Restore): void {
  const text = `${JSON.stringify(restore)}\n`;
  const old = readBounded(system, `${DIRECTORY}/${NAME}`, LIMIT_BYTES);
  if (old !== undefined && system.decode(old) === text) return;
  writeWhole(system, DIRECTORY, [{ name: NAME, bytes: system.encode(text) }]);
}

export async function forgetRestore(system: System): Promise<void> {
  await removeDurable(system, DIRECTORY, [NAME]);
}

/** `undefined`: plan anew. `rights`: of the source of the record. */
export function readRestore(
  system: System,
  rootHash: string,
  record: AdoptedRecord,
  rights: readonly Right[],
): Restore | undefined {
  const bytes = readBounded(system, `${DIRECTORY}/${NAME}`, LIMIT_BYTES);
  if (bytes === undefined || rootHash === '') return undefined;
  try {
    const value: unknown = JSON.parse(system.decode(bytes));
    return isRestore(value, rights) &&
      value.rootHash === rootHash &&
      JSON.stringify(value.record) === JSON.stringify(record)
      ? value
      : undefined;
  } catch {
    return undefined;
  }
}

function isRestore(value: unknown, rights: readonly Right[]): value is Restore {
  if (!isRecord(value) || value['format'] !== '1.0' || typeof value['rootHash'] !== 'string') return false;
  const { machine, network, names, files, status, due } = value;
  return (
    isRecord(machine) &&
    isMachine(machine, rights) &&
    (network === null ||
      (typeof network === 'string' && network.length <= NETWORK_LIMIT && rights.includes('network'))) &&
    Array.isArray(names) &&
    names.every((name) => isRecord(name) && isNaming(name)) &&
    (names.length === 0 || rights.includes('network')) &&
    Array.isArray(files) &&
    files.every((file) => isRecord(file) && isFile(file)) &&
    isStatus(status) &&
    typeof due === 'boolean'
  );
}

function isMachine(
  { users, groups, hostname, services }: Record<string, unknown>,
  rights: readonly Right[],
): boolean {
  if (!Array.isArray(users) || !Array.isArray(groups) || services !== undefined) return false;
  if (users.length + groups.length > 0 && !rights.includes('users')) return false;
  return (
    (hostname === undefined || isHostname(hostname)) &&
    users.every((user) => isRecord(user) && isUser(user)) &&
    groups.every((group) => isRecord(group) && isGroup(group))
  );
}

function isUser({ name, uid, groups, shell, sshAuthorizedKeys, ...rest }: Record<string, unknown>): boolean {
  return (
    Object.keys(rest).length === 0 &&
    isName(name) &&
    isId(uid) &&
    Array.isArray(groups) &&
    groups.every(isName) &&
    typeof shell === 'string' &&
    /^\/[A-Za-z0-9/._-]{1,127}$/.test(shell) &&
    Array.isArray(sshAuthorizedKeys) &&
    sshAuthorizedKeys.every(
      (key) => typeof key === 'string' && !key.includes('\n') && parseKeys(key)[0] === key,
    )
  );
}

function isGroup({ name, gid, members, ...rest }: Record<string, unknown>): boolean {
  return (
    Object.keys(rest).length === 0 &&
    isName(name) &&
    isGid(gid) &&
    Array.isArray(members) &&
    members.every(isName)
  );
}

function isNaming({ kind, name, hosts }: Record<string, unknown>): boolean {
  return (
    kind === 'hostname' &&
    isHostname(name) &&
    (hosts === null || (typeof hosts === 'string' && /^[A-Za-z0-9.:\n -]{0,4096}$/.test(hosts)))
  );
}

/** Which paths there may be, and for whom, applyRuntimeFile knows. */
function isFile({ kind, path, content, mode, service }: Record<string, unknown>): boolean {
  return (
    kind === 'runtime-file' &&
    typeof path === 'string' &&
    isRecord(content) &&
    (typeof content['text'] === 'string' || typeof content['base64'] === 'string') &&
    (mode === 0o644 || mode === 0o600) &&
    (service === null || isName(service))
  );
}

/** Shown to people alone. */
function isStatus(value: unknown): value is ConfigStatus {
  if (!isRecord(value)) return false;
  const { state, keys, problems, notes } = value;
  return (
    ['pending', 'applied', 'failed'].includes(String(state)) &&
    Array.isArray(keys) &&
    keys.every(isRecord) &&
    [problems, notes].every((list) => Array.isArray(list) && list.every((line) => typeof line === 'string'))
  );
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && /^[a-z_][a-z0-9_-]{0,31}$/.test(value) && value !== 'root';
}

function isHostname(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(value);
}

/** `operators` has 900. */
function isGid(value: unknown): value is number {
  return isId(value) || (typeof value === 'number' && value >= 900 && value < 1000);
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1000 && value < 60_000;
}
