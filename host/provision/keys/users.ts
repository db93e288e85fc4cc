/** `users`, `user`, `groups`, and the passwords that are not heard. */
import type { Located, LocatedMap } from '../../../spec/located.ts';
import { placeOf, type At, type GroupEntry, type UserEntry, type Users } from '../config.ts';
import { key, without, type Key } from './key.ts';
import { fault, mismatch, remark, type Reader } from './reader.ts';
import {
  at,
  convert,
  either,
  fields,
  flag,
  given,
  ignored,
  integer,
  isNothing,
  list,
  listOrWords,
  named,
  oneOf,
  text,
  truth,
  type Shape,
} from './shape.ts';

/** Names as useradd(8) wants them. */
const NAME = /^[a-z_][a-z0-9_-]{0,30}\$?$/;
/** Groups of other systems that stand for `operators`. */
const OPERATOR_GROUPS = ['sudo', 'wheel', 'admin'];
const NO_PASSWORD = 'no password works on this machine: use ssh_authorized_keys';
const PASSWORD_LOCKED = 'as it always is: no password works on this machine';

export const accountName = text({
  type: 'name',
  check: (name) => (NAME.test(name) ? undefined : `'${name}' is no name of a user or group`),
  hint: 'lower-case letters, digits, - and _, at most 31, a letter first',
});

export const absolutePath = text({
  type: 'absolute path',
  // eslint-disable-next-line no-control-regex
  check: (path) => (/^\/[^\u0000-\u001f]*$/.test(path) ? undefined : 'expected an absolute path'),
});

export const publicKey = convert(
  text({
    type: 'public key',
    check: (line) =>
      /(^|\s)((ssh|ecdsa|sk-ssh|sk-ecdsa)-[\w@.-]+|[\w@.-]*-cert-v01@openssh\.com) AAAA[0-9A-Za-z+/]+=*(\s|$)/.test(
        line,
      )
        ? /[\r\n]/.test(line.trim())
          ? 'one key holds no line break'
          : undefined
        : 'this is no public key of OpenSSH',
    hint: "one line such as 'ssh-ed25519 AAAA... name'",
  }),
  // A line after `|` ends with a line break.
  (line) => ({ ...line, value: line.value.trim() }),
);

export const importId = text({
  type: '`gh:name` or `lp:name`',
  check: (id) =>
    /^((gh|lp):)?[A-Za-z0-9][\w.+-]*$/.test(id)
      ? undefined
      : 'expected gh: or lp: and the name of an account there',
});

const password = (): { shape: Shape<undefined>; secret: true } => ({
  shape: ignored(NO_PASSWORD),
  secret: true,
});

/** `sudo: ALL=(ALL) NOPASSWD:ALL`, a list of rules, `false`, `null`: whether there is a rule. */
const sudo: Shape<At<boolean>> = {
  type: 'rule, list of rules, `false`',
  read: (node, reader) => {
    const rules = node.kind === 'list' ? node.items : [node];
    const wrong = rules.find((rule) => !isRule(rule) && (rule !== node || truthOf(rule) === undefined));
    if (wrong !== undefined) return mismatch(reader, wrong, 'a sudo rule, or false');
    return at(
      node,
      rules.some((rule) => (isRule(rule) ? !isNothing(rule) && !isEmpty(rule) : truthOf(rule) === true)),
    );
  },
};

const groupList = either<readonly At<string>[]>('list of texts, or one text with commas', {
  scalar: listOrWords(/,/),
  list: listOrWords(/,/),
  map: convert(named(nothing(), 'groups'), (entries) => entries.map(({ name }) => name)),
});

const USER_MEMBERS = {
  name: { shape: accountName },
  gecos: { shape: text() },
  uid: { shape: integer(1, 60_000, true) },
  primary_group: { shape: accountName },
  groups: { shape: groupList },
  sudo: { shape: sudo },
  doas: { shape: list(text()) },
  homedir: { shape: absolutePath },
  no_create_home: { shape: flag },
  shell: { shape: absolutePath },
  system: { shape: flag },
  no_user_group: { shape: flag },
  create_groups: { shape: flag },
  ssh_authorized_keys: { shape: list(publicKey) },
  ssh_import_id: { shape: list(importId) },
  ssh_redirect_user: { shape: flag },
  lock_passwd: {
    shape: convert(flag, ({ value }, reader, node) => {
      remark(reader, node.at, value ? 'applied' : 'ignored', value ? PASSWORD_LOCKED : NO_PASSWORD);
      return undefined;
    }),
  },
  passwd: password(),
  hashed_passwd: password(),
  plain_text_passwd: password(),
  expiredate: { shape: ignored('accounts do not expire on this machine: remove the user instead') },
  inactive: { shape: ignored('accounts do not expire on this machine: remove the user instead') },
  no_log_init: { shape: ignored('this machine has no lastlog and no faillog') },
  selinux_user: { shape: ignored('this machine has no SELinux') },
  snapuser: { shape: ignored('this machine has no snaps') },
} as const;

const userMapping: Shape<UserEntry> = convert(
  fields(USER_MEMBERS, { noun: 'a user', lenient: true, hyphens: true }),
  (user, reader, node) => {
    const written = user.groups ?? [];
    const operatorGroup = written.find(({ value }) => OPERATOR_GROUPS.includes(value));
    const doas = user.doas?.[0];
    const operator =
      user.sudo?.value === true || (operatorGroup ?? doas) === undefined
        ? user.sudo
        : { value: true, at: (operatorGroup ?? doas)?.at ?? user.at };
    for (const group of written)
      if (!NAME.test(group.value)) {
        const item = (node as LocatedMap).entries.get('groups');
        fault(reader, item?.keyAt ?? node.at, 'value', `'${group.value}' is no name of a group`);
      }
    if (
      user.ssh_redirect_user?.value === true &&
      (user.ssh_authorized_keys ?? user.ssh_import_id) !== undefined
    ) {
      const message = "'ssh_redirect_user' and keys of the user's own exclude each other";
      fault(reader, node.at, 'conflict', message, 'remove one of the two');
    }
    return {
      at: user.at,
      ...given({
        name: user.name,
        gecos: user.gecos,
        uid: user.uid,
        primaryGroup: user.primary_group,
        operator,
        homeDir: user.homedir,
        noCreateHome: user.no_create_home,
        shell: user.shell,
        system: user.system,
        noUserGroup: user.no_user_group,
        createGroups: user.create_groups,
        sshRedirectUser: user.ssh_redirect_user,
      }),
      groups: written.filter(({ value }) => !OPERATOR_GROUPS.includes(value) && NAME.test(value)),
      sshAuthorizedKeys: user.ssh_authorized_keys ?? [],
      sshImportIds: user.ssh_import_id ?? [],
    };
  },
);

type UserItem = { readonly isDefault: At<string> } | { readonly entry: UserEntry };

/** `default`, a bare name, or a mapping. */
const userItem = either<UserItem>('`default`, name or mapping', {
  scalar: convert(accountName, (name) =>
    name.value === 'default' ? { isDefault: name } : { entry: bareUser(name) },
  ),
  map: convert(userMapping, (entry, reader, node) => {
    // Nobody to give the rest to.
    if (entry.name === undefined)
      return (node as LocatedMap).entries.has('name')
        ? undefined
        : fault(reader, node.at, 'missing', "'name' is missing in a user");
    return entry.name.value === 'default' ? { isDefault: entry.name } : { entry };
  }),
});

/** A list; cloud-init's oldest forms, one text with commas, and a mapping of names to true or to sub-keys, are heard too. */
const users: Shape<readonly UserItem[]> = either('list of users', {
  scalar: convert(listOrWords(/,/), (names, reader, node) =>
    names.flatMap((name) => {
      if (!NAME.test(name.value))
        return fault(reader, node.at, 'value', `'${name.value}' is no name of a user`) ?? [];
      return [name.value === 'default' ? { isDefault: name } : { entry: bareUser(name) }];
    }),
  ),
  list: list(userItem),
  map: convert(
    named(
      either<UserEntry | false>('mapping', {
        map: userMapping,
        scalar: convert(flag, ({ value }) => value && bareUser()),
      }),
      'names',
    ),
    (entries) =>
      entries.flatMap(({ name, value }) => {
        if (value === false) return [];
        return [name.value === 'default' ? { isDefault: name } : { entry: { ...value, name, at: name.at } }];
      }),
  ),
});

function asUsers(items: readonly UserItem[], node: Located, reader: Reader): Users {
  const entries = new Map<string, UserEntry>();
  let withDefault: Users['withDefault'];
  for (const item of items) {
    if ('isDefault' in item) withDefault = item.isDefault.at;
    else {
      const name = item.entry.name?.value ?? '';
      const earlier = entries.get(name);
      if (earlier !== undefined)
        fault(
          reader,
          node.at,
          'twice',
          `the user '${name}' stands here twice`,
          `in lines ${earlier.at.line} and ${item.entry.at.line}`,
        );
      entries.set(name, item.entry);
    }
  }
  return { at: placeOf(node.at), ...given({ withDefault }), entries: [...entries.values()] };
}

/** `groups: [a, {b: [member]}]`, `groups: {b: member}`, `groups: a, b`. */
const members = listOrWords(/,/);
const groupMapping: Shape<readonly GroupEntry[]> = convert(
  named(either<readonly At<string>[]>('list of names', { scalar: members, list: members }), 'names'),
  (entries) => entries.map(({ name, value }) => ({ at: name.at, name, members: value })),
);
const groups = either<readonly GroupEntry[]>('list of names or mappings of a name to its members', {
  scalar: convert(members, (names) => names.map(bareGroup)),
  list: convert(
    list(
      either<readonly GroupEntry[]>('name or mapping', {
        scalar: convert(accountName, (name) => [bareGroup(name)]),
        map: groupMapping,
      }),
    ),
    (items) => items.flat(),
  ),
  map: groupMapping,
});

const chpasswd = fields(
  {
    expire: { shape: ignored(PASSWORD_LOCKED) },
    users: { shape: ignored(NO_PASSWORD), secret: true },
    list: { shape: ignored(NO_PASSWORD), secret: true },
  },
  { noun: 'chpasswd' },
);

export const USER_KEYS: readonly Key[] = [
  key(
    { name: 'users', group: 'A', applied: 'state', right: 'users' },
    users,
    (draft, items, reader, node) => {
      draft.users = asUsers(items, node, reader);
    },
  ),
  key(
    { name: 'user', group: 'B', applied: 'state', right: 'users' },
    either('name or mapping', { scalar: convert(accountName, bareUser), map: userMapping }),
    (draft, user) => {
      draft.defaultUser = user;
    },
  ),
  key(
    { name: 'groups', group: 'B', applied: 'state', right: 'users' },
    groups,
    (draft, entries, reader, node) => {
      const named = entries.filter(({ name, members: those }) =>
        [name, ...those].every(
          ({ value }) =>
            NAME.test(value) || fault(reader, node.at, 'value', `'${value}' is no name of a user or group`),
        ),
      );
      const byName = new Map<string, GroupEntry>();
      for (const entry of named) {
        const earlier = byName.get(entry.name.value);
        byName.set(entry.name.value, { ...entry, members: [...(earlier?.members ?? []), ...entry.members] });
      }
      draft.groups = [...byName.values()].map((group) =>
        OPERATOR_GROUPS.includes(group.name.value)
          ? { ...group, name: { ...group.name, value: 'operators' } }
          : group,
      );
    },
  ),
  without('password', 'B', NO_PASSWORD, text({ secret: true, numbers: true })),
  without('chpasswd', 'B', NO_PASSWORD, chpasswd),
  key(
    { name: 'ssh_pwauth', group: 'B', applied: 'never', right: null },
    oneOf([true, false, 'unchanged']),
    (_draft, { value }, reader, node) => {
      remark(
        reader,
        node.at,
        value === true ? 'ignored' : 'applied',
        value === true ? NO_PASSWORD : PASSWORD_LOCKED,
      );
    },
  ),
  key(
    { name: 'disable_root', group: 'B', applied: 'never', right: null },
    flag,
    (_draft, { value }, reader, node) => {
      const reason = 'nobody logs in as root on this machine: operators have `slip`';
      remark(reader, node.at, value ? 'applied' : 'ignored', reason);
    },
  ),
];

function bareUser(name?: At<string>): UserEntry {
  return {
    at: name?.at ?? { part: '', line: 1, column: 1 },
    ...given({ name }),
    groups: [],
    sshAuthorizedKeys: [],
    sshImportIds: [],
  };
}

function bareGroup(name: At<string>): GroupEntry {
  return { at: name.at, name, members: [] };
}

function isRule(node: Located): boolean {
  return (
    node.kind === 'scalar' &&
    (node.value === null || (typeof node.value === 'string' && truth(node) === undefined))
  );
}

function truthOf(node: Located): boolean | undefined {
  return node.kind === 'scalar' ? truth(node) : undefined;
}

function isEmpty(node: Located): boolean {
  return node.kind === 'scalar' && node.value === '';
}

/** The deprecated `groups: {docker: null}` of a user. */
function nothing(): Shape<true> {
  return {
    type: 'nothing',
    read: (node, reader) => (isNothing(node) ? true : mismatch(reader, node, 'nothing')),
  };
}
