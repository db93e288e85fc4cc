/** Users and groups: their numbers are remembered, their keys fetched, their homes made. slipd writes the files of /etc from the result. */
import { PROVISIONING_PATHS, type ProvisionedMachine } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { parseKeys } from '../../slipd/accounts.ts';
import { prepareDirectories } from '../../slipd/directories.ts';
import type { RememberedIds } from '../plan/facts.ts';
import { HOMES } from '../plan/paths.ts';
import type { AccountsAction, PlannedUser, Verdict } from '../plan/step.ts';
import type { HttpClient } from '../source/http/client.ts';
import { readBounded, writeDurable } from '../store/durable.ts';
import { done, failed, type StepResult } from './result.ts';

export interface AppliedAccounts {
  readonly result: StepResult;
  /** Of keys that were to be fetched. */
  readonly verdicts: readonly Verdict[];
  readonly users: ProvisionedMachine['users'];
  readonly groups: ProvisionedMachine['groups'];
}

const FILE = 'accounts.json';
const CACHE = `${PROVISIONING_PATHS.state}/keys`;
const LIMIT_BYTES = 1024 * 1024;
/** Where whose keys are public. */
const IMPORTS: Readonly<Record<string, (name: string) => string>> = {
  gh: (name) => `https://github.com/${name}.keys`,
  lp: (name) => `https://launchpad.net/~${name}/+sshkeys`,
};

export async function applyAccounts(
  system: System,
  action: AccountsAction,
  http: HttpClient | undefined,
  /** Whether the step that fetches comes in the same run. */
  fetchedNext: boolean,
): Promise<AppliedAccounts> {
  const verdicts: Verdict[] = [];
  let changed = false;
  let problem: string | undefined;
  try {
    changed = await rememberIds(system, action.ids);
  } catch {
    // They can log in, which matters more; a later user must not get their numbers by then.
    problem = 'their numbers cannot be remembered: the state partition is full, or fails';
  }
  const users: ProvisionedMachine['users'][number][] = [];
  for (const user of action.users) {
    const imported = await importedKeys(
      system,
      user,
      action.fetch ? http : undefined,
      { fetch: action.fetch, fetchedNext },
      verdicts,
    );
    const { name, uid, groups, shell, keys } = user;
    users.push({ name, uid, groups, shell, sshAuthorizedKeys: [...new Set([...keys, ...imported])] });
  }
  const homes = action.users.filter(({ isNew, home }) => isNew && home);
  const missing = homes.some(({ name }) => system.linkStatus(`${HOMES}/${name}`) === undefined);
  const unmade = await makeHomes(system, homes);
  if (unmade.length > 0) problem = `${unmade.join(', ')} cannot be made`;
  const result = problem === undefined ? done(changed || missing) : failed(problem);
  return { result, verdicts, users, groups: action.groups };
}

/** From the state partition, so checked entry by entry. */
export function readIds(system: System): RememberedIds {
  const bytes = readBounded(system, `${PROVISIONING_PATHS.state}/${FILE}`, LIMIT_BYTES);
  try {
    const file = (bytes === undefined ? {} : JSON.parse(system.decode(bytes))) as Record<
      string,
      unknown
    > | null;
    return { users: idsOf(file?.['users']), groups: idsOf(file?.['groups']) };
  } catch {
    return { users: {}, groups: {} };
  }
}

function idsOf(value: unknown): Readonly<Record<string, number>> {
  if (typeof value !== 'object' || value === null) return {};
  const entries = Object.entries(value).filter(
    (entry): entry is [string, number] =>
      /^_?[a-z][a-z0-9_-]{0,30}$/.test(entry[0]) &&
      Number.isInteger(entry[1]) &&
      entry[1] >= 1000 &&
      entry[1] < 60_000,
  );
  return Object.fromEntries(entries);
}

async function rememberIds(system: System, ids: RememberedIds): Promise<boolean> {
  const known = readIds(system);
  const text = `${JSON.stringify({ format: '1.0', users: ids.users, groups: ids.groups })}\n`;
  if (`${JSON.stringify({ format: '1.0', ...known })}\n` === text) return false;
  if (Object.keys(ids.users).length + Object.keys(ids.groups).length === 0) return false;
  await writeDurable(system, PROVISIONING_PATHS.state, [{ name: FILE, bytes: system.encode(text) }]);
  return true;
}

/** What was fetched once is kept, so that a machine without a network lets the same people in. */
async function importedKeys(
  system: System,
  { name, importIds }: PlannedUser,
  http: HttpClient | undefined,
  { fetch, fetchedNext }: { readonly fetch: boolean; readonly fetchedNext: boolean },
  verdicts: Verdict[],
): Promise<readonly string[]> {
  const keys: string[] = [];
  for (const { id, key, at } of importIds) {
    const [, place = '', who = ''] = /^([a-z]{2}):([A-Za-z0-9][A-Za-z0-9._-]{0,63})$/.exec(id) ?? [];
    const address = IMPORTS[place];
    if (address === undefined) {
      verdicts.push({ key, at, state: 'failed', reason: `${id}: keys come from gh:NAME or lp:NAME` });
      continue;
    }
    const file = `${place}-${who}`;
    const cached = readBounded(system, `${CACHE}/${file}`, LIMIT_BYTES);
    const fetched = http === undefined ? undefined : await fetchKeys(system, http, address(who));
    const text = fetched ?? (cached === undefined ? undefined : system.decode(cached));
    if (fetched !== undefined && (cached === undefined || system.decode(cached) !== fetched))
      await writeDurable(system, CACHE, [{ name: file, bytes: system.encode(fetched) }]).catch(
        () => undefined,
      );
    if (text !== undefined) keys.push(...parseKeys(text));
    if (!fetch && text === undefined && !fetchedNext)
      verdicts.push({
        key,
        at,
        state: 'pending',
        reason: `the keys of ${id} are fetched when there is a network`,
      });
    else if (fetch && fetched === undefined)
      verdicts.push({
        key,
        at,
        state: text === undefined ? 'failed' : 'applied',
        reason: `the keys of ${id} for ${name} could not be fetched${text === undefined ? '' : ': those of the last time count'}`,
      });
  }
  return keys;
}

async function fetchKeys(system: System, http: HttpClient, url: string): Promise<string | undefined> {
  try {
    const bytes = await http.follow(url);
    const text = bytes === undefined ? undefined : system.decode(bytes);
    // A page about a fault is no list of keys.
    return text !== undefined && parseKeys(text).length > 0 ? text : undefined;
  } catch {
    return undefined;
  }
}

function makeHomes(system: System, users: readonly PlannedUser[]): Promise<readonly string[]> {
  const homes = users.map(({ name, uid }) => ({ path: `${HOMES}/${name}`, uid, gid: uid, mode: 0o700 }));
  if (homes.length === 0) return Promise.resolve([]);
  return new Promise((resolve) => prepareDirectories(system, homes, resolve));
}
