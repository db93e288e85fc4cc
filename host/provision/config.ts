/**
 * What a machine is to be, read from all documents of its source and merged: the one typed form that the plan is made from. Every
 * form that a key may be written in has become one here. Plain JSON throughout, the nodes of `services` aside.
 *
 * Passwords are not here: none works on any machine, so their keys are reported as ignored and their values dropped.
 */
import type { Located, Position } from '../../spec/located.ts';
import type { UpdateWindow } from '../../spec/update.ts';

/** Where a value was written. */
export interface Place {
  /** The document, as messages show it: `user-data`, `user-data part 2 (files.yaml)`, `vendor-data`. */
  readonly part: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
}

/** A value and where it was written. */
export interface At<T> {
  readonly value: T;
  readonly at: Place;
  /** Never in a log, a status or a message (`redact`). */
  readonly secret?: true;
}

/** Groups A and B of the keys that Slipway knows, and its own. An absent member: the key was not written, or was faulty. */
export interface MachineConfig {
  readonly users?: Users;
  /** `user:`: what is different about the default user. */
  readonly defaultUser?: UserEntry;
  /** `groups:`, with the members that they name. */
  readonly groups: readonly GroupEntry[];
  /** For the default user: `ssh_authorized_keys`, `ssh_import_id` (`gh:name`, `lp:name`). */
  readonly sshAuthorizedKeys: readonly At<string>[];
  readonly sshImportIds: readonly At<string>[];
  readonly ssh: SshSettings;

  readonly hostname?: At<string>;
  readonly fqdn?: At<string>;
  readonly preferFqdn?: At<boolean>;
  readonly preserveHostname?: At<boolean>;
  /** `localhost` and `true` (also written `template`) both put the machine's own name into /etc/hosts. */
  readonly manageEtcHosts?: At<boolean | 'localhost'>;

  readonly files: readonly FileEntry[];

  readonly deviceAliases: readonly { readonly name: At<string>; readonly device: At<string> }[];
  readonly disks: readonly DiskEntry[];
  readonly fileSystems: readonly FileSystemEntry[];
  /** Missing fields are filled from `mount_default_fields`. */
  readonly mounts: readonly MountEntry[];
  readonly swap?: SwapSettings;
  readonly growpart?: {
    readonly at: Place;
    readonly enabled: At<boolean>;
    readonly devices: readonly At<string>[];
  };
  readonly resizeRootfs?: At<boolean | 'noblock'>;

  readonly ntp?: NtpSettings;
  readonly timezone?: At<{ readonly name: string; /** POSIX form: what TZ holds. */ readonly rule: string }>;
  readonly keyboard?: At<{ readonly layout: string; readonly variant: string | null }>;
  readonly caCertificates?: CaSettings;
  /** Only with `manage_resolv_conf: true`, as in cloud-init. */
  readonly resolvConf?: ResolvConf;
  readonly randomSeed?: RandomSeed;

  readonly services: readonly ServiceEntry[];
  readonly update?: UpdateOverrides;
  readonly install?: InstallSettings;

  /** At every boot, as early as can be. */
  readonly bootCommands: readonly Command[];
  /** Once an instance, after the services have started. */
  readonly runCommands: readonly Command[];
  /** `#!` documents, in order. */
  readonly scripts: readonly ScriptEntry[];

  readonly phoneHome?: PhoneHome;
  readonly finalMessage?: At<string>;
  readonly powerState?: PowerState;
}

export interface Users {
  readonly at: Place;
  /** The list names `default`: the image's default user is wanted, and gets the platform's keys. */
  readonly withDefault?: Place;
  /** In the order of the list; a name stands once. */
  readonly entries: readonly UserEntry[];
}

export interface UserEntry {
  readonly at: Place;
  /** Only `user:` may leave it out. */
  readonly name?: At<string>;
  readonly gecos?: At<string>;
  readonly uid?: At<number>;
  readonly primaryGroup?: At<string>;
  /** Without `sudo`, `wheel` and `admin`: they are `operator`. */
  readonly groups: readonly At<string>[];
  /** By `sudo:`, `doas:` or one of those groups: belongs to `operators`. */
  readonly operator?: At<boolean>;
  /** Absolute. */
  readonly homeDir?: At<string>;
  readonly noCreateHome?: At<boolean>;
  readonly shell?: At<string>;
  readonly system?: At<boolean>;
  readonly noUserGroup?: At<boolean>;
  /** False: groups that do not exist are a fault instead of being made. */
  readonly createGroups?: At<boolean>;
  readonly sshAuthorizedKeys: readonly At<string>[];
  readonly sshImportIds: readonly At<string>[];
  /** Logging in as this user only says whom to log in as. */
  readonly sshRedirectUser?: At<boolean>;
}

export interface GroupEntry {
  readonly at: Place;
  readonly name: At<string>;
  readonly members: readonly At<string>[];
}

export const HOST_KEY_TYPES = ['rsa', 'ecdsa', 'ed25519'] as const;
export type HostKeyType = (typeof HOST_KEY_TYPES)[number];

export interface SshSettings {
  /** `ssh_keys`. */
  readonly hostKeys: readonly {
    readonly type: HostKeyType;
    readonly kind: 'private' | 'public' | 'certificate';
    /** Private ones are secret. */
    readonly text: At<string>;
  }[];
  readonly deleteKeys?: At<boolean>;
  readonly keyTypes?: readonly At<HostKeyType>[];
}

/** Decoded: what is written to the disk. */
export type Bytes = { readonly text: string } | { /** Canonical, with padding. */ readonly base64: string };

export interface FileEntry {
  readonly at: Place;
  /** Absolute and normal, no `..`. Where it may lie is for the plan to judge. */
  readonly path: At<string>;
  /** Secret. */
  readonly content: At<Bytes>;
  /** Fetched first; `content` is what stands in when that fails. */
  readonly source?: {
    readonly url: At<string>;
    readonly headers: readonly { readonly name: string; readonly value: At<string> }[];
  };
  /** root:root unless told; a missing group is the user's own. */
  readonly owner?: At<{ readonly user: string; readonly group: string | null }>;
  /** 0644 unless told. */
  readonly mode?: At<number>;
  readonly append: At<boolean>;
  /** Accepted, and without effect: users come before files anyway. */
  readonly defer: At<boolean>;
}

export interface DiskEntry {
  readonly at: Place;
  /** A path, or one of `deviceAliases`. */
  readonly device: At<string>;
  readonly table: At<'mbr' | 'gpt'>;
  readonly layout: At<
    'none' | 'whole' | 'remove' | readonly { readonly percent: number; readonly type: string | null }[]
  >;
  /** False: a disk that holds anything is left as it is. */
  readonly overwrite: At<boolean>;
}

export interface FileSystemEntry {
  readonly at: Place;
  /** A path, an alias, or `alias.N`. */
  readonly device: At<string>;
  readonly partition?: At<number | 'auto' | 'any' | 'none'>;
  readonly type: At<string>;
  readonly label?: At<string>;
  readonly overwrite: At<boolean>;
  /** With `partition: auto|any`: a file system of this type is replaced. */
  readonly replaceType?: At<string>;
  readonly options: readonly At<string>[];
}

/** fstab(5). */
export interface MountEntry {
  readonly at: Place;
  readonly device: At<string>;
  /** Absolute, or `none` (swap). */
  readonly target: At<string>;
  readonly type: At<string>;
  readonly options: readonly At<string>[];
  readonly dump: At<number>;
  readonly pass: At<number>;
}

export interface SwapSettings {
  readonly at: Place;
  readonly path: At<string>;
  readonly sizeBytes: At<number | 'auto'>;
  readonly maxSizeBytes?: At<number>;
}

export interface NtpSettings {
  readonly at: Place;
  readonly enabled: At<boolean>;
  readonly servers: readonly At<string>[];
  readonly pools: readonly At<string>[];
  readonly peers: readonly At<string>[];
  readonly allow: readonly At<string>[];
}

export interface CaSettings {
  readonly at: Place;
  readonly removeDefaults: At<boolean>;
  /** PEM, each one certificate or more. */
  readonly trusted: readonly At<string>[];
}

/** resolv.conf(5). */
export interface ResolvConf {
  readonly at: Place;
  readonly nameservers: readonly At<string>[];
  readonly searchDomains: readonly At<string>[];
  readonly domain?: At<string>;
  readonly sortlist: readonly At<string>[];
  /** `rotate`, `ndots:2`. */
  readonly options: readonly At<string>[];
}

export interface RandomSeed {
  readonly at: Place;
  /** Secret. */
  readonly data?: At<Bytes>;
  readonly command?: Command;
  readonly commandRequired: At<boolean>;
}

/** Secret as a whole: command lines hold tokens. */
export interface Command {
  readonly at: Place;
  readonly secret: true;
  readonly run: { readonly shell: string } | { readonly argv: readonly string[] };
}

export interface ScriptEntry {
  readonly at: Place;
  /** Unique within its configuration: `part-001`, or the name that its MIME part has. */
  readonly name: string;
  readonly when: 'boot' | 'instance' | 'once';
  /** Secret. Starts with `#!`. */
  readonly text: At<string>;
}

/** One service with Compose's keys, not yet checked beyond being a mapping. */
export interface ServiceEntry {
  readonly name: At<string>;
  /** For faults: `keyAt.source.display` is the part. */
  readonly keyAt: Position;
  readonly node: Located;
}

/** `update:`, the same keys as in an image definition; what is absent stays as the image says. */
export interface UpdateOverrides {
  readonly at: Place;
  readonly enabled?: At<boolean>;
  readonly url?: At<string>;
  readonly mirrors?: readonly At<string>[];
  readonly channel?: At<string>;
  readonly pollMs?: At<number>;
  readonly download?: At<'auto' | 'manual'>;
  readonly reboot?: At<'auto' | 'window' | 'manual'>;
  readonly windows?: At<readonly UpdateWindow[]>;
  readonly bandwidthBytesPerSecond?: At<number>;
  readonly metered?: At<boolean>;
  readonly fullDownloads?: At<'never' | 'ask' | 'always'>;
  readonly proxy?: At<string>;
  /** Certificates themselves (PEM), where an image definition names a file. */
  readonly ca?: At<string>;
  readonly wave?: At<'early' | 'normal' | 'late' | number>;
}

/** `install:`, for the installer on live media. */
export interface InstallSettings {
  readonly at: Place;
  readonly disk: At<
    | { readonly by: 'path'; readonly path: string }
    | { readonly by: 'serial'; readonly serial: string }
    | { readonly by: 'size'; readonly sizeBytes: number }
    | { readonly by: 'smallest' | 'largest' }
  >;
  readonly overwrite: At<'never' | 'wipe'>;
  /** What happens once it is installed. */
  readonly then: At<'reboot' | 'poweroff' | 'stay'>;
}

export const PHONE_HOME_FIELDS = [
  'pub_key_rsa',
  'pub_key_ecdsa',
  'pub_key_ed25519',
  'instance_id',
  'hostname',
  'fqdn',
] as const;

export interface PhoneHome {
  readonly at: Place;
  /** Secret: it may hold a token. */
  readonly url: At<string>;
  readonly post: At<readonly (typeof PHONE_HOME_FIELDS)[number][]>;
  readonly tries: At<number>;
}

export interface PowerState {
  readonly at: Place;
  readonly mode: At<'poweroff' | 'reboot' | 'halt'>;
  readonly delayMinutes: At<number>;
  readonly message?: At<string>;
  readonly timeoutSeconds: At<number>;
  readonly condition: At<boolean> | Command;
}

/** Nothing is wanted. */
export const EMPTY_CONFIG: MachineConfig = {
  groups: [],
  sshAuthorizedKeys: [],
  sshImportIds: [],
  ssh: { hostKeys: [] },
  files: [],
  deviceAliases: [],
  disks: [],
  fileSystems: [],
  mounts: [],
  services: [],
  bootCommands: [],
  runCommands: [],
  scripts: [],
};

/** Of a node that the shared YAML reader placed. */
export function placeOf(position: Position): Place {
  return { part: position.source.display, line: position.line, column: position.column };
}

/** As text for logs and people: JSON in which each secret is `"(secret)"` and each service is its name. */
export function redact(config: MachineConfig): string {
  return JSON.stringify(config, (key: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (key === 'node' || key === 'keyAt') return undefined;
    if (!('secret' in value)) return value;
    return 'run' in value ? { ...value, run: '(secret)' } : { ...value, value: '(secret)' };
  });
}
