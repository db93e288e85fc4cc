/** What the owner's policy does not let a source do is taken out of its configuration before anything is planned, and told. */
import type { ProvisioningPolicy, Right } from '../../../spec/provisioning.ts';
import { EMPTY_CONFIG, type MachineConfig, type Place } from '../config.ts';
import type { MachineFacts } from './facts.ts';
import type { Verdict } from './step.ts';

/** A key, the member of the configuration that it became, and where it stands, if it does. */
interface Part {
  readonly key: string;
  readonly right: Right;
  readonly member: keyof MachineConfig;
  readonly at: (config: MachineConfig) => Place | undefined;
}

/** A test compares the rights with those of the table of keys. */
export const PARTS: readonly Part[] = [
  part('users', 'users', 'users', ({ users }) => users?.at),
  part('user', 'users', 'defaultUser', ({ defaultUser }) => defaultUser?.at),
  part('groups', 'users', 'groups', ({ groups }) => groups[0]?.at),
  part(
    'ssh_authorized_keys',
    'users',
    'sshAuthorizedKeys',
    ({ sshAuthorizedKeys }) => sshAuthorizedKeys[0]?.at,
  ),
  part('ssh_import_id', 'users', 'sshImportIds', ({ sshImportIds }) => sshImportIds[0]?.at),
  part('ssh_keys', 'users', 'ssh', ({ ssh }) => ssh.hostKeys[0]?.text.at),
  part('ssh_deletekeys', 'users', 'ssh', ({ ssh }) => ssh.deleteKeys?.at),
  part('ssh_genkeytypes', 'users', 'ssh', ({ ssh }) => ssh.keyTypes?.[0]?.at),
  part('hostname', 'network', 'hostname', ({ hostname }) => hostname?.at),
  part('fqdn', 'network', 'fqdn', ({ fqdn }) => fqdn?.at),
  part('prefer_fqdn_over_hostname', 'network', 'preferFqdn', ({ preferFqdn }) => preferFqdn?.at),
  part('preserve_hostname', 'network', 'preserveHostname', ({ preserveHostname }) => preserveHostname?.at),
  part('manage_etc_hosts', 'network', 'manageEtcHosts', ({ manageEtcHosts }) => manageEtcHosts?.at),
  part('ntp', 'network', 'ntp', ({ ntp }) => ntp?.at),
  part('resolv_conf', 'network', 'resolvConf', ({ resolvConf }) => resolvConf?.at),
  part('phone_home', 'network', 'phoneHome', ({ phoneHome }) => phoneHome?.at),
  part('write_files', 'files', 'files', ({ files }) => files[0]?.at),
  part('timezone', 'files', 'timezone', ({ timezone }) => timezone?.at),
  part('keyboard', 'files', 'keyboard', ({ keyboard }) => keyboard?.at),
  part('ca_certs', 'files', 'caCertificates', ({ caCertificates }) => caCertificates?.at),
  part('disk_setup', 'disks', 'disks', ({ disks }) => disks[0]?.at),
  part('fs_setup', 'disks', 'fileSystems', ({ fileSystems }) => fileSystems[0]?.at),
  part('mounts', 'disks', 'mounts', ({ mounts }) => mounts[0]?.at),
  part('swap', 'disks', 'swap', ({ swap }) => swap?.at),
  part('growpart', 'disks', 'growpart', ({ growpart }) => growpart?.at),
  part('resize_rootfs', 'disks', 'resizeRootfs', ({ resizeRootfs }) => resizeRootfs?.at),
  part('device_aliases', 'disks', 'deviceAliases', ({ deviceAliases }) => deviceAliases[0]?.name.at),
  part('install', 'disks', 'install', ({ install }) => install?.disk.at),
  part('services', 'services', 'services', ({ services }) => services[0]?.name.at),
  part('update', 'update', 'update', ({ update }) => update?.at),
  part('bootcmd', 'scripts', 'bootCommands', ({ bootCommands }) => bootCommands[0]?.at),
  part('runcmd', 'scripts', 'runCommands', ({ runCommands }) => runCommands[0]?.at),
  part('scripts', 'scripts', 'scripts', ({ scripts }) => scripts[0]?.at),
  part('power_state', 'scripts', 'powerState', ({ powerState }) => powerState?.at),
];

export interface Permitted {
  readonly config: MachineConfig;
  readonly facts: MachineFacts;
  readonly verdicts: readonly Verdict[];
}

export function permitted(config: MachineConfig, facts: MachineFacts, policy: ProvisioningPolicy): Permitted {
  const rights = policy.sources[facts.source] ?? [];
  const verdicts: Verdict[] = [];
  let left: MachineConfig = { ...config };
  for (const { key, right, member, at } of PARTS) {
    if (rights.includes(right)) continue;
    const place = at(config);
    // Each script has a name of its own in the status.
    if (member === 'scripts')
      for (const script of config.scripts)
        verdicts.push(refusal(`script ${script.name}`, script.at, right, facts.source, policy));
    else if (place !== undefined) verdicts.push(refusal(key, place, right, facts.source, policy));
    const { [member]: _, ...rest } = left;
    left = { ...EMPTY_CONFIG, ...rest };
  }
  // A command among what needs no right by itself.
  const command = left.randomSeed?.command;
  if (command !== undefined && !rights.includes('scripts')) {
    verdicts.push(refusal('random_seed.command', command.at, 'scripts', facts.source, policy));
    const { randomSeed, ...rest } = left;
    const { command: _, ...seed } = randomSeed!;
    left = { ...rest, randomSeed: seed };
  }
  const platform = {
    hostname: rights.includes('network') ? facts.platform.hostname : null,
    publicKeys: rights.includes('users') ? facts.platform.publicKeys : [],
  };
  return { config: left, facts: { ...facts, platform }, verdicts };
}

/** What is told of a key that the source may not set: with the line of an image definition that would allow it. */
export function refusal(
  key: string,
  at: Place,
  right: Right,
  source: MachineFacts['source'],
  policy: ProvisioningPolicy,
): Verdict {
  const rights = [...(policy.sources[source] ?? []), right];
  const line = `provisioning: { sources: { ${source}: [${rights.join(', ')}] } }`;
  return {
    key,
    at,
    state: 'refused',
    reason: `this image does not let ${source} do that; its definition would by: ${line}`,
  };
}

function part(key: string, right: Right, member: keyof MachineConfig, at: Part['at']): Part {
  return { key, right, member, at };
}
