/** First-boot configuration: what the image allows (`provisioning:`), what it left on the machine, and how it went. */
import type { MachineDescription, MachineService } from './machine.ts';

/** Fixed paths on the machine. */
export const PROVISIONING_PATHS = {
  /** ProvisioningPolicy, JSON, in the verified root. */
  policy: '/usr/lib/slipway/provisioning.json',
  /** A configuration that is built into the image (`#cloud-config`), where it has one. */
  builtIn: '/usr/lib/slipway/user-data',
  program: '/usr/lib/slipway/provision.js',
  /** The small program of each boot: is there anything new? */
  look: '/usr/lib/slipway/look.js',
  /** The seccomp filter of containers that scripts run in: BPF, in base64. Only where scripts may run in one. */
  scriptFilter: '/usr/lib/slipway/script-seccomp',
  /** The default profile for services, compiled: each file is named for those capabilities that it is for. */
  serviceFilters: '/usr/lib/slipway/service-seccomp',
  /** What was adopted; on the state partition, so never believed. 0700. */
  state: '/var/lib/slipway/provision',
  /** What an installer left for the first boot: `user-data`, `meta-data`, `vendor-data`, `network-config`, read as NoCloud's. */
  seed: '/var/lib/slipway/seed/nocloud',
  /** What lives as long as a boot: ProvisionedMachine (`machine.json`), ConfigStatus (`status.json`). */
  runtime: '/run/slipway/provision',
} as const;

export const DATASOURCES = [
  'nocloud',
  'qemu',
  'smbios',
  'ec2',
  'gce',
  'azure',
  'openstack',
  'vmware',
  'digitalocean',
  'hetzner',
  'command-line',
  'built-in',
  /** `slip config apply`, by an operator. */
  'operator',
] as const;
export type DatasourceName = (typeof DATASOURCES)[number];

/** What a source may do. Keys of the configuration need one of these each. */
export const RIGHTS = ['users', 'files', 'network', 'services', 'update', 'disks', 'scripts'] as const;
export type Right = (typeof RIGHTS)[number];

/** capabilities(7) of scripts in a container: what files and users take. Nothing that changes the kernel, its devices, its mounts or its network. */
export const SCRIPT_CAPABILITIES = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_NET_BIND_SERVICE',
  'CAP_SETGID',
  'CAP_SETUID',
] as const;

export interface ProvisioningPolicy {
  readonly format: '1.0';
  /** Sources that are heard, each with what it may do. One that is not named is not heard. */
  readonly sources: Readonly<Partial<Record<DatasourceName, readonly Right[]>>>;
  /** Where scripts run, for sources that may run any. */
  readonly scripts: 'container' | 'host';
  /** `auto`: found from DMI and labels. */
  readonly platform: DatasourceName | 'auto';
}

/** What provisioning adds to the signed MachineDescription; slipd lays it over that. */
export interface ProvisionedMachine {
  readonly format: '1.0';
  readonly hostname?: string;
  /** By name: new ones, and further groups and keys of the image's own. */
  readonly users: MachineDescription['users'];
  readonly groups: readonly {
    readonly name: string;
    readonly gid: number;
    readonly members: readonly string[];
  }[];
  /** Each with the path of its OCI bundle. */
  readonly services: readonly (MachineService & { readonly bundle: string })[];
}

/** Of one key of the configuration. */
export interface KeyStatus {
  /** `users`, `write_files`, ... */
  readonly key: string;
  readonly state: 'applied' | 'ignored' | 'failed' | 'refused' | 'pending';
  /** Of the document it stands in; lines count from 1. */
  readonly file: string;
  readonly line: number;
  /** Why, in one line; never a secret. */
  readonly reason: string | null;
}

/** `slip config status --json`. */
export interface ConfigStatus {
  readonly format: '1.0';
  readonly source: DatasourceName | null;
  /** Where exactly, for people: `/dev/vdb (cidata)`. */
  readonly origin: string | null;
  readonly instanceId: string | null;
  /** SHA-256 over all documents of the source. */
  readonly digest: string | null;
  readonly state: 'none' | 'pending' | 'applied' | 'failed' | 'trying';
  readonly keys: readonly KeyStatus[];
  /** Faults and refusals, as people read them. */
  readonly problems: readonly string[];
  /** Worth knowing, but no fault: a source that is there and not heard. */
  readonly notes: readonly string[];
  /** While a configuration is tried: Unix time in seconds at which the old one returns. */
  readonly revertsAt: number | null;
}
