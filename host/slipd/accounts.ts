/**
 * Users of this machine: /run/etc/{passwd,group,shadow}, from the base files of the root and the image's users, and the public keys
 * that open the door to each. No password opens anything: every field is `*`.
 */
import type { MachineDescription, PreparedDirectory } from '../../spec/machine.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import type { ProvisionedMachine } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';

export const OPERATORS_GROUP = 'operators';
export const OPERATORS_GID = 900;

const BASE_PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n';
const BASE_GROUP = 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n';

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
  /** User name to authorized_keys. */
  readonly authorizedKeys: Readonly<Record<string, string>>;
  readonly homes: readonly PreparedDirectory[];
  readonly operatorsGid: number;
}

/** The files' contents. Pure. */
export function accountFiles(
  users: MachineDescription['users'],
  base: { readonly passwd: string; readonly group: string },
  firmwareKeys: readonly string[],
  more: ProvisionedMachine['groups'] = [],
): AccountFiles {
  // Users log in to the ssh container, where /home is PATHS.homes.
  const passwd =
    base.passwd +
    users
      .map((user) => `${user.name}:x:${user.uid}:${user.uid}::/home/${user.name}:${user.shell}\n`)
      .join('');
  const groups = new Map<string, { gid: number; members: string[] }>();
  for (const line of base.group.split('\n').filter((text) => text !== '')) {
    const [name = '', , gid = '0', members = ''] = line.split(':');
    groups.set(name, { gid: Number(gid), members: members === '' ? [] : members.split(',') });
  }
  if (!groups.has(OPERATORS_GROUP)) groups.set(OPERATORS_GROUP, { gid: OPERATORS_GID, members: [] });
  for (const { name, gid, members } of more)
    if (!groups.has(name)) groups.set(name, { gid, members: [...members] });
  let nextGid = OPERATORS_GID + 1;
  for (const user of users) {
    groups.set(user.name, { gid: user.uid, members: [] });
    for (const name of user.groups) {
      if (!groups.has(name)) {
        const taken = new Set([...groups.values()].map(({ gid }) => gid));
        while (taken.has(nextGid)) nextGid++;
        groups.set(name, { gid: nextGid++, members: [] });
      }
      const group = groups.get(name)!;
      if (!group.members.includes(user.name)) group.members.push(user.name);
    }
  }
  const names = passwd
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split(':')[0] ?? '');
  return {
    passwd,
    group: [...groups].map(([name, { gid, members }]) => `${name}:x:${gid}:${members.join(',')}\n`).join(''),
    shadow: names.map((name) => `${name}:*:19000:0:99999:7:::\n`).join(''),
    authorizedKeys: Object.fromEntries(
      users.map((user) => {
        const keys = [
          ...user.sshAuthorizedKeys,
          ...(user.groups.includes(OPERATORS_GROUP) ? firmwareKeys : []),
        ];
        return [user.name, keys.map((key) => `${key}\n`).join('')];
      }),
    ),
    homes: users.map((user) => ({
      path: `${PATHS.homes}/${user.name}`,
      uid: user.uid,
      gid: user.uid,
      mode: 0o700,
    })),
    operatorsGid: groups.get(OPERATORS_GROUP)!.gid,
  };
}

/** Public keys, one a line; what does not look like one is dropped. No options: they could start programs. */
export function parseKeys(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^(ssh|ecdsa|sk)-[a-z0-9@.-]+ [A-Za-z0-9+/=]+( .*)?$/.test(line));
}

/** Writes them all; the homes are still to be made. */
export function writeAccounts(
  system: System,
  machine: Pick<MachineDescription, 'users'> & { readonly groups?: ProvisionedMachine['groups'] },
): AccountFiles {
  const base = {
    passwd: system.readText('/etc/passwd.base') ?? BASE_PASSWD,
    group: system.readText('/etc/group.base') ?? BASE_GROUP,
  };
  const keys = parseKeys(system.readText(PATHS.firmwareKeys) ?? '');
  const files = accountFiles(machine.users, base, keys, machine.groups);
  const etc = MACHINE_PATHS.generatedEtc;
  system.makeDirectory(etc);
  writeChanged(system, `${etc}/passwd`, files.passwd);
  writeChanged(system, `${etc}/group`, files.group);
  writeChanged(system, `${etc}/shadow`, files.shadow, 0o600);
  system.makeDirectory(PATHS.authorizedKeys);
  for (const name of system.list(PATHS.authorizedKeys))
    if (files.authorizedKeys[name] === undefined) system.remove(`${PATHS.authorizedKeys}/${name}`);
  for (const [name, own] of Object.entries(files.authorizedKeys))
    writeChanged(system, `${PATHS.authorizedKeys}/${name}`, own);
  return files;
}

/** Containers have these files mounted one by one: a new file in the old one's place would not reach them. */
function writeChanged(system: System, path: string, text: string, mode = 0o644): void {
  const old = system.readText(path);
  if (old === text) return;
  if (old === undefined) return system.writeText(path, text, mode);
  const fd = system.open(path, { access: 'write', noFollow: true, create: { mode } });
  if (fd < 0) throw new Error(`cannot write ${path}`);
  system.write(fd, system.encode(text));
  system.close(fd);
}
