/**
 * What this machine is: the signed description, and over it what provisioning made of the machine's own configuration. Provisioning has
 * checked that against the owner's policy; here it can only add, and never take the place of what the image has.
 */
import { MACHINE_PATHS, type MachineDescription, type MachineService } from '../../spec/machine.ts';
import { PROVISIONING_PATHS, type ProvisionedMachine } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';

export interface Machine extends MachineDescription {
  readonly hostname?: string;
  /** Groups with numbers of their own. */
  readonly groups: ProvisionedMachine['groups'];
}

const PATH = `${PROVISIONING_PATHS.runtime}/machine.json`;

export function readMachine(system: System): Machine {
  const signed = JSON.parse(system.readText(MACHINE_PATHS.description) ?? '') as MachineDescription;
  const text = system.readText(PATH);
  if (text === undefined) return { ...signed, groups: [] };
  try {
    return overlay(signed, JSON.parse(text) as ProvisionedMachine);
  } catch (error) {
    system.log(`slipd: ${PATH}: ${String(error)}`);
    return { ...signed, groups: [] };
  }
}

/** Changes when there is something new to read. */
export function provisionedVersion(system: System): string {
  const found = system.status(PATH);
  return found === undefined ? '' : `${found.inode} ${found.modifiedMs} ${found.sizeBytes}`;
}

/** The image's users get further groups and keys; its services stay as they are. Pure. */
export function overlay(signed: MachineDescription, provisioned: ProvisionedMachine): Machine {
  const added = new Map(provisioned.users.map((user) => [user.name, user]));
  const users = signed.users.map((user) => {
    const more = added.get(user.name);
    if (more === undefined) return user;
    added.delete(user.name);
    return {
      ...user,
      groups: [...new Set([...user.groups, ...more.groups])],
      sshAuthorizedKeys: [...new Set([...user.sshAuthorizedKeys, ...more.sshAuthorizedKeys])],
    };
  });
  const taken = new Set(users.map(({ uid }) => uid));
  const own = new Set(signed.services.map(({ name }) => name));
  return {
    ...signed,
    ...(provisioned.hostname === undefined ? {} : { hostname: provisioned.hostname }),
    users: [...users, ...[...added.values()].filter(({ uid }) => !taken.has(uid))],
    groups: provisioned.groups,
    services: [...signed.services, ...provisioned.services.filter(({ name }) => !own.has(name))],
  };
}

/** Its OCI bundle. */
export function bundleOf(service: MachineService): string {
  return service.bundle ?? `${MACHINE_PATHS.containers}/${service.name}`;
}
