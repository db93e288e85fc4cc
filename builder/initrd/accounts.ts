/** The machine's accounts: system ones, then the image's users. No password works anywhere: every shadow entry is locked. */
import type { ImageDefinition } from '../../spec/image.ts';

/** Whoever is in it may use the control channel; its number is the same on every machine, because files on state carry it. */
export const OPERATORS_GID = 900;

const SYSTEM_USERS: readonly string[] = [
  'root:x:0:0:root:/root:/bin/sh',
  // sshd's unprivileged half: the ssh container sees these accounts.
  'sshd:x:100:65534:sshd:/run/sshd:/usr/sbin/nologin',
  'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
];
const SYSTEM_GROUPS: Readonly<Record<string, number>> = {
  root: 0,
  tty: 5,
  operators: OPERATORS_GID,
  nogroup: 65534,
};

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
}

/** Each user has a group of its own with its number; other groups that users name get numbers from 901 on, in alphabetical order. */
export function accountFiles(image: Pick<ImageDefinition, 'users'>): AccountFiles {
  const { users } = image;
  const own = new Map(users.map(({ name, uid }) => [name, uid]));
  const named = [...new Set(users.flatMap(({ groups }) => groups))]
    .filter((name) => !(name in SYSTEM_GROUPS) && !own.has(name))
    .sort();
  const groups = [
    ...Object.entries(SYSTEM_GROUPS),
    ...named.map((name, index) => [name, OPERATORS_GID + 1 + index] as const),
    ...own,
  ];
  const members = (group: string): string =>
    users
      .filter((user) => user.groups.includes(group))
      .map((user) => user.name)
      .join(',');
  const passwd = [
    ...SYSTEM_USERS,
    ...users.map(({ name, uid, shell }) => `${name}:x:${uid}:${uid}:${name}:/home/${name}:${shell}`),
  ];
  return {
    passwd: lines(passwd),
    group: lines(groups.map(([name, gid]) => `${name}:x:${gid}:${members(name)}`)),
    shadow: lines(passwd.map((line) => `${line.slice(0, line.indexOf(':'))}:*:::::::`)),
  };
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join('');
}
