/**
 * Users and groups. The image's own users get further groups and keys, nothing else of them changes. New ones get numbers from FIRST_ID
 * on that are theirs for ever, since files belong to numbers.
 */
import { OPERATORS_GROUP, parseKeys } from '../../slipd/accounts.ts';
import type { At, GroupEntry, MachineConfig, Place, UserEntry } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import { createNumbers } from './numbers.ts';
import type { AccountsAction, PlannedGroup, PlannedUser, Verdict } from './step.ts';

/** Where no image user is an operator. */
const DEFAULT_USER = 'admin';
const NO_LOGIN = '/usr/sbin/nologin';
const SHELL = '/bin/sh';
/** `__proto__` is none. */
const NAME = /^_?[a-z][a-z0-9_-]{0,30}$/;

export interface PlannedAccounts {
  /** `undefined`: no key asks for anything. */
  readonly action?: Omit<AccountsAction, 'fetch'>;
  readonly verdicts: readonly Verdict[];
  /** Numbers by name, the image's and the new ones. */
  readonly uids: Readonly<Record<string, number>>;
  readonly gids: Readonly<Record<string, number>>;
}

interface Draft {
  readonly name: string;
  readonly isNew: boolean;
  readonly uid: number;
  readonly groups: Set<string>;
  readonly keys: Set<string>;
  readonly importIds: { id: string; key: string; at: Place }[];
  shell: string;
  home: boolean;
}

export function planAccounts(config: MachineConfig, facts: MachineFacts): PlannedAccounts {
  const verdicts: Verdict[] = [];
  const say = (key: string, at: Place, state: Verdict['state'], reason: string): void =>
    void verdicts.push({ key, at, state, reason });
  const numbers = createNumbers(facts);
  const users = new Map<string, Draft>();
  const groups = new Map<string, Set<string>>();
  const keys: { key: string; at: Place }[] = [];

  const entries = config.users?.entries ?? [];
  const defaultName = config.defaultUser?.name?.value ?? imageDefault(facts);
  const wantsDefault = config.users === undefined || config.users.withDefault !== undefined;
  // Numbers that are asked for come before those that are handed out.
  for (const entry of entries) if (entry.uid !== undefined) numbers.reserve(entry.uid.value);

  if (config.users !== undefined) keys.push({ key: 'users', at: config.users.at });
  for (const entry of entries) {
    const draft = entry.name === undefined ? undefined : draftUser(entry, entry.name, 'users');
    if (draft !== undefined) describe(draft, entry, 'users');
  }
  const receiver = keyReceiver();
  if (config.defaultUser !== undefined) {
    keys.push({ key: 'user', at: config.defaultUser.at });
    if (receiver === undefined)
      say('user', config.defaultUser.at, 'ignored', '`users` does not name `default`');
    else describe(receiver, config.defaultUser, 'user');
  }
  giveKeys(config.sshAuthorizedKeys, 'ssh_authorized_keys');
  giveImports(config.sshImportIds, 'ssh_import_id');
  if (receiver !== undefined)
    for (const key of parseKeys(facts.platform.publicKeys.join('\n'))) receiver.keys.add(key);
  for (const entry of config.groups) describeGroup(entry);

  const planned = [...users.values()].map(finished);
  const plannedGroups: PlannedGroup[] = [...groups].map(([name, members]) => ({
    name,
    gid: numbers.gid(name),
    members: [...members].sort(),
  }));
  const { uids, gids } = numbers;
  if (planned.length === 0 && plannedGroups.length === 0) return { verdicts, uids, gids };
  return {
    action: { kind: 'accounts', keys, users: planned, groups: plannedGroups, ids: numbers.remembered },
    verdicts,
    uids,
    gids,
  };

  function draftUser(entry: UserEntry, name: At<string>, key: string): Draft | undefined {
    const known = users.get(name.value);
    if (known !== undefined) return known;
    const own = facts.image.users.find((user) => user.name === name.value);
    if (own === undefined) {
      const why = refusal(name.value);
      if (why !== undefined) return (say(key, name.at, why.state, why.reason), undefined);
    }
    const uid = own?.uid ?? numbers.user(name.value, entry.uid?.value);
    if (typeof uid !== 'number')
      return (say(key, entry.uid?.at ?? name.at, 'failed', uid.problem), undefined);
    if (entry.uid !== undefined && entry.uid.value !== uid)
      say(
        key,
        entry.uid.at,
        own === undefined ? 'failed' : 'ignored',
        `${name.value} keeps ${uid} on this machine: files belong to that number`,
      );
    const draft: Draft = {
      name: name.value,
      isNew: own === undefined,
      uid,
      groups: new Set(),
      keys: new Set(),
      importIds: [],
      shell: own?.shell ?? SHELL,
      home: true,
    };
    users.set(name.value, draft);
    return draft;
  }

  function refusal(name: string): { state: 'ignored' | 'failed'; reason: string } | undefined {
    if (name === 'root')
      return { state: 'ignored', reason: 'root does not log in: operators have `slip shell`' };
    if (!NAME.test(name)) return { state: 'failed', reason: 'the name of a user is a-z, 0-9, _ and -' };
    if (Object.hasOwn(facts.accounts.users, name) || Object.hasOwn(facts.accounts.groups, name))
      return { state: 'failed', reason: `${name} is a name of the system's own` };
    return undefined;
  }

  function describe(draft: Draft, entry: UserEntry, key: string): void {
    for (const group of entry.groups) joinGroup(draft, group, entry.createGroups?.value !== false, key);
    if (entry.primaryGroup !== undefined && entry.primaryGroup.value !== draft.name) {
      joinGroup(draft, entry.primaryGroup, entry.createGroups?.value !== false, key);
      say(`${key}.primary_group`, entry.primaryGroup.at, 'ignored', OWN_GROUP);
    }
    if (entry.operator?.value === true) draft.groups.add(OPERATORS_GROUP);
    if (entry.noUserGroup?.value === true)
      say(`${key}.no_user_group`, entry.noUserGroup.at, 'ignored', OWN_GROUP);
    addKeys(draft, entry.sshAuthorizedKeys, `${key}.ssh_authorized_keys`);
    addImports(draft, entry.sshImportIds, key);
    if (entry.shell !== undefined) setShell(draft, entry.shell, `${key}.shell`);
    if (entry.homeDir !== undefined && entry.homeDir.value !== `/home/${draft.name}`)
      say(`${key}.homedir`, entry.homeDir.at, 'ignored', `the home of ${draft.name} is /home/${draft.name}`);
    if (entry.noCreateHome?.value === true) draft.home = false;
    if (entry.sshRedirectUser?.value === true)
      say(`${key}.ssh_redirect_user`, entry.sshRedirectUser.at, 'ignored', 'who may not log in gets no key');
  }

  function joinGroup(draft: Draft, group: At<string>, create: boolean, key: string): void {
    const name = group.value;
    if (name === draft.name) return;
    const exists =
      numbers.hasGroup(name) || groups.has(name) || config.groups.some((one) => one.name.value === name);
    if (!exists && !create) return say(`${key}.groups`, group.at, 'failed', `there is no group ${name}`);
    if (!exists && !NAME.test(name))
      return say(`${key}.groups`, group.at, 'failed', 'the name of a group is a-z, 0-9, _ and -');
    draft.groups.add(name);
    membersOf(name).add(draft.name);
  }

  function membersOf(name: string): Set<string> {
    const members = groups.get(name) ?? new Set<string>();
    groups.set(name, members);
    return members;
  }

  function setShell(draft: Draft, { value, at }: At<string>, key: string): void {
    if (!draft.isNew) return say(key, at, 'ignored', 'the image says what its users log in with');
    if (/\/(nologin|false|true)$/.test(value)) draft.shell = NO_LOGIN;
    else if (!/^(\/usr)?\/bin\/(a|da)?sh$/.test(value))
      say(key, at, 'ignored', `there is no ${value} where users log in: ${SHELL}`);
  }

  function addKeys(draft: Draft, texts: readonly At<string>[], key: string): void {
    for (const { value, at } of texts) {
      const found = parseKeys(value);
      for (const line of found) draft.keys.add(line);
      if (found.length === 0)
        say(key, at, 'failed', 'this is no public key (options before it are not taken)');
    }
  }

  function addImports(draft: Draft, ids: readonly At<string>[], key: string): void {
    for (const { value, at } of ids)
      if (!draft.importIds.some(({ id }) => id === value)) draft.importIds.push({ id: value, key, at });
  }

  /** Who gets the platform's keys and those at the top of the document. */
  function keyReceiver(): Draft | undefined {
    const wanted =
      config.defaultUser !== undefined ||
      config.users?.withDefault !== undefined ||
      config.sshAuthorizedKeys.length + config.sshImportIds.length + facts.platform.publicKeys.length > 0;
    if (!wanted) return undefined;
    if (!wantsDefault) {
      // `default` was left out: the keys would open no door at all, as with cloud-init.
      const listed = [...users.values()];
      return listed.find(({ groups: own }) => own.has(OPERATORS_GROUP)) ?? listed[0];
    }
    const place = config.defaultUser?.name?.at ?? config.users?.withDefault ?? firstPlace(config);
    const draft = draftUser(
      config.defaultUser ?? { at: place, groups: [], sshAuthorizedKeys: [], sshImportIds: [] },
      { value: defaultName, at: place },
      'user',
    );
    // A default user of cloud images may do everything; one of the image's own is what the image says.
    if (draft?.isNew === true && !entries.some((entry) => entry.name?.value === defaultName))
      draft.groups.add(OPERATORS_GROUP);
    return draft;
  }

  function giveKeys(texts: readonly At<string>[], key: string): void {
    const [first] = texts;
    if (first === undefined) return;
    keys.push({ key, at: first.at });
    if (receiver === undefined) return say(key, first.at, 'failed', NOBODY);
    if (!wantsDefault) say(key, first.at, 'applied', elsewhere(receiver));
    addKeys(receiver, texts, key);
  }

  function giveImports(ids: readonly At<string>[], key: string): void {
    const [first] = ids;
    if (first === undefined) return;
    keys.push({ key, at: first.at });
    if (receiver === undefined) return say(key, first.at, 'failed', NOBODY);
    if (!wantsDefault) say(key, first.at, 'applied', elsewhere(receiver));
    addImports(receiver, ids, key);
  }

  function describeGroup({ at, name, members }: GroupEntry): void {
    if (!keys.some(({ key }) => key === 'groups')) keys.push({ key: 'groups', at });
    const taken = Object.hasOwn(facts.accounts.users, name.value) || users.has(name.value);
    if (!NAME.test(name.value))
      return say('groups', name.at, 'failed', 'the name of a group is a-z, 0-9, _ and -');
    if (taken && !numbers.hasGroup(name.value))
      return say('groups', name.at, 'failed', `${name.value} is a user, and so has a group of that name`);
    const own = membersOf(name.value);
    for (const member of members) {
      const draft = users.get(member.value) ?? imageUser(member);
      if (draft === undefined) say('groups', member.at, 'failed', `there is no user ${member.value}`);
      else if (draft.name !== name.value) {
        own.add(draft.name);
        draft.groups.add(name.value);
      }
    }
  }

  function imageUser(name: At<string>): Draft | undefined {
    if (!facts.image.users.some((user) => user.name === name.value)) return undefined;
    return draftUser({ at: name.at, groups: [], sshAuthorizedKeys: [], sshImportIds: [] }, name, 'groups');
  }
}

const OWN_GROUP = 'a user has a group of its own here, and is a member of the others';
const NOBODY = '`users` names nobody: whose keys are these?';

function elsewhere({ name }: Draft): string {
  return `for ${name}, since \`users\` does not name \`default\``;
}

function finished({ groups, keys, ...draft }: Draft): PlannedUser {
  return { ...draft, groups: [...groups].sort(), keys: [...keys] };
}

function imageDefault({ image }: MachineFacts): string {
  const operator = image.users.find(({ groups }) => groups.includes(OPERATORS_GROUP));
  return operator?.name ?? DEFAULT_USER;
}

/** Of what brought the default user in; the platform's keys have no line. */
function firstPlace(config: MachineConfig): Place {
  const [first] = [...config.sshAuthorizedKeys, ...config.sshImportIds];
  return first?.at ?? { part: 'meta-data', line: 1, column: 1 };
}
