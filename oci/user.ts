/** `user`, `group_add`: names looked up in the container's own /etc/passwd and /etc/group, at build time. */
import { SlipwayError } from '../spec/error.ts';

export interface UserDatabase {
  /** Text of the root file system's /etc/passwd; empty where it has none. */
  readonly passwd: string;
  /** Text of the root file system's /etc/group; empty where it has none. */
  readonly group: string;
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/**
 * Docker's rules (moby/sys/user, GetExecUser): `user` is `name|uid[:name|gid]`; without a group, the account's own and those that list it as a
 * member; a number that is no account is taken as it is, with group 0 and home `/`.
 */
export function containerUser(
  service: string,
  user: string | undefined,
  groupAdd: readonly string[],
  database: UserDatabase,
): ContainerUser {
  const [userPart = '', groupPart] = splitOnce(user ?? '', ':');
  const accounts = parsePasswd(database.passwd);
  const groups = parseGroup(database.group);
  const account = findAccount(accounts, userPart === '' ? '0' : userPart);
  const uid = account?.uid ?? numericId(userPart === '' ? '0' : userPart);
  if (uid === undefined) throw unknownName(service, 'user', userPart, '/etc/passwd');

  const gidOf = (name: string): number => {
    const gid = groups.find((group) => group.name === name)?.gid ?? numericId(name);
    if (gid === undefined) throw unknownName(service, 'group', name, '/etc/group');
    return gid;
  };
  const explicit = groupPart === undefined || groupPart === '' ? undefined : gidOf(groupPart);
  const gid = explicit ?? account?.gid ?? 0;
  const memberships =
    explicit === undefined && account !== undefined
      ? groups.filter((group) => group.members.includes(account.name)).map((group) => group.gid)
      : [];
  // The group itself is among them, else a process could get around a file's "not this group" (CVE-2022-36109).
  const additional = new Set([gid, ...memberships, ...groupAdd.map(gidOf)]);
  return {
    uid,
    gid,
    additionalGids: [...additional].sort((a, b) => a - b),
    home: account === undefined || account.home === '' ? '/' : account.home,
  };
}

export function parsePasswd(text: string): readonly Account[] {
  return lines(text).flatMap((line) => {
    const [name, , uid, gid, , home] = line.split(':');
    if (name === undefined || !isId(uid) || !isId(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home: home ?? '' }];
  });
}

export function parseGroup(text: string): readonly Group[] {
  return lines(text).flatMap((line) => {
    const [name, , gid, members] = line.split(':');
    if (name === undefined || !isId(gid)) return [];
    return [
      { name, gid: Number(gid), members: (members ?? '').split(',').filter((member) => member !== '') },
    ];
  });
}

function findAccount(accounts: readonly Account[], wanted: string): Account | undefined {
  const named = accounts.find((account) => account.name === wanted);
  const uid = numericId(wanted);
  return named ?? (uid === undefined ? undefined : accounts.find((account) => account.uid === uid));
}

function lines(text: string): readonly string[] {
  return text.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
}

function isId(text: string | undefined): text is string {
  return text !== undefined && numericId(text) !== undefined;
}

/** Ids are 32 bits, and 2^32-1 means "unchanged" to the kernel. */
function numericId(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) < 0xffff_ffff ? Number(text) : undefined;
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function unknownName(service: string, kind: string, name: string, file: string): SlipwayError {
  return new SlipwayError(
    'bundle.user',
    `service ${service}: ${kind} "${name}" is not in its root's ${file}`,
    {
      hint: `add the ${kind} to ${file} through the service's x-slipway.files, or write its number`,
    },
  );
}
