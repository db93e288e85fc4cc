/**
 * What is done to a machine, one thing after another: plain JSON, decided by the plan, carried out by apply/. Paths are those of the
 * host. Steps hold secrets (contents of files, command lines): a plan is shown by `describeStep` alone.
 */
import type { DatasourceName } from '../../../spec/provisioning.ts';
import type { Bytes, HostKeyType, InstallSettings, PHONE_HOME_FIELDS, Place } from '../config.ts';

export interface ConfigPlan {
  readonly format: '1.0';
  readonly source: DatasourceName;
  readonly instanceId: string;
  /** In the order in which they are done. */
  readonly steps: readonly Step[];
  /** Of what is not done at all, and why; and what there is to be said of what is. */
  readonly verdicts: readonly Verdict[];
  /** For the installer, on live media. */
  readonly install: InstallSettings | null;
}

/** Of a key, or of one entry of it. */
export interface Verdict {
  readonly key: string;
  readonly at: Place;
  readonly state: 'applied' | 'ignored' | 'failed' | 'refused' | 'pending';
  /** In one line; never a secret. */
  readonly reason: string | null;
}

/**
 * `early`: before anything else. `state`: whenever the configuration is new. `online`: the same, for what the network is needed for.
 * `final`: when the services have started.
 */
export const PHASES = ['early', 'state', 'online', 'final'] as const;
export type Phase = (typeof PHASES)[number];

export type Step = { readonly key: string; readonly at: Place; readonly phase: Phase } & Action;

export type Action =
  | AccountsAction
  | HostnameAction
  | RuntimeFileAction
  | FileAction
  | CertificatesAction
  | HostKeysAction
  | SeedAction
  | TableAction
  | FormatAction
  | MountAction
  | SwapAction
  | ScriptAction
  | ServicesAction
  | PhoneHomeAction
  | MessageAction
  | PowerAction;

export type ActionOf<Kind extends Action['kind']> = Extract<Action, { readonly kind: Kind }>;

/** Who this machine knows beside the image's own users. Twice where keys are fetched: in `state` with what is remembered, in `online` with all. */
export interface AccountsAction {
  readonly kind: 'accounts';
  /** Every key that has a part in it. */
  readonly keys: readonly { readonly key: string; readonly at: Place }[];
  readonly users: readonly PlannedUser[];
  readonly groups: readonly PlannedGroup[];
  /** What is to be remembered, by name, before anything is owned by it. */
  readonly ids: {
    readonly users: Readonly<Record<string, number>>;
    readonly groups: Readonly<Record<string, number>>;
  };
  /** `online`: keys of `importIds` are fetched. */
  readonly fetch: boolean;
}

export interface PlannedUser {
  readonly name: string;
  readonly uid: number;
  readonly groups: readonly string[];
  readonly shell: string;
  readonly keys: readonly string[];
  /** `gh:name`, `lp:name`: each with where it was written. */
  readonly importIds: readonly { readonly id: string; readonly key: string; readonly at: Place }[];
  /** False: one of the image's own, who gets groups and keys. */
  readonly isNew: boolean;
  /** Whether its home is made here, so that files can be put there. */
  readonly home: boolean;
}

export interface PlannedGroup {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** The kernel's, /etc/hostname and, where `hosts` says so, /etc/hosts. */
export interface HostnameAction {
  readonly kind: 'hostname';
  readonly name: string;
  readonly hosts: string | null;
}

/** A file below /run that is made anew at every boot. */
export interface RuntimeFileAction {
  readonly kind: 'runtime-file';
  readonly path: string;
  readonly content: Bytes;
  readonly mode: number;
  /** The service that reads it as it starts. */
  readonly service: string | null;
}

/** A file that stays. All entries of one path are one action. */
export interface FileAction {
  readonly kind: 'file';
  readonly path: string;
  readonly parts: readonly FilePart[];
  /** Added to what stands there already; else it takes that one's place. */
  readonly append: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Of parents that are missing. */
  readonly parents: { readonly uid: number; readonly gid: number };
}

export interface FilePart {
  readonly content: Bytes;
  readonly source: {
    readonly url: string;
    readonly headers: readonly { readonly name: string; readonly value: string }[];
  } | null;
}

/** The bundle of certificates at CERTIFICATES (paths.ts). */
export interface CertificatesAction {
  readonly kind: 'certificates';
  readonly removeDefaults: boolean;
  readonly trusted: readonly string[];
}

/** Keys of the `ssh` service. */
export interface HostKeysAction {
  readonly kind: 'host-keys';
  readonly deleteOld: boolean;
  readonly keys: readonly {
    readonly type: HostKeyType;
    readonly kind: 'private' | 'public' | 'certificate';
    readonly text: string;
  }[];
  /** Made by the service where they are missing. */
  readonly types: readonly HostKeyType[];
}

export interface SeedAction {
  readonly kind: 'random-seed';
  readonly data: Bytes | null;
}

/** A partition table on a disk that is not ours. */
export interface TableAction {
  readonly kind: 'partition-table';
  readonly device: string;
  readonly table: 'gpt' | 'mbr';
  /** In 512-byte units of the kernel: `start` and `sectors` are counted in the disk's own sectors. */
  readonly partitions: readonly {
    readonly start: number;
    readonly sectors: number;
    readonly type: string;
  }[];
  readonly diskBytes: number;
  readonly sectorBytes: number;
  /** `if-empty`: anything on the disk makes it fail. `replace`: once, whatever is there (`overwrite: true`). */
  readonly overwrite: 'if-empty' | 'replace';
}

export interface FormatAction {
  readonly kind: 'format';
  readonly device: string;
  readonly type: string;
  readonly label: string | null;
  /** `type`: what is of that type may be replaced. */
  readonly overwrite: 'if-empty' | 'replace' | { readonly type: string };
  readonly options: readonly string[];
}

export interface MountAction {
  readonly kind: 'mount';
  /** `/dev/...`, `LABEL=`, `UUID=`, `tmpfs`, ... */
  readonly device: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly check: boolean;
  /** A missing device is no fault. */
  readonly optional: boolean;
}

export interface SwapAction {
  readonly kind: 'swap';
  readonly device: string;
  /** Of a file that is made where it is missing; `null` for devices. */
  readonly sizeBytes: number | null;
}

/** A script, or one made of a list of commands. */
export interface ScriptAction {
  readonly kind: 'script';
  /** Of its log, its container, its mark. */
  readonly name: string;
  readonly text: string;
  readonly when: 'boot' | 'instance' | 'once';
  readonly where: 'container' | 'host';
  readonly limitSeconds: number;
}

/** All of `services:`, done by whoever applies the plan (host/provision/services/). */
export interface ServicesAction {
  readonly kind: 'services';
  readonly names: readonly string[];
}

export interface PhoneHomeAction {
  readonly kind: 'phone-home';
  readonly url: string;
  readonly post: readonly (typeof PHONE_HOME_FIELDS)[number][];
  readonly tries: number;
  readonly values: Readonly<Record<string, string>>;
}

export interface MessageAction {
  readonly kind: 'message';
  readonly text: string;
}

export interface PowerAction {
  readonly kind: 'power';
  readonly mode: 'poweroff' | 'reboot';
  readonly delaySeconds: number;
  readonly message: string | null;
  /** A script whose success is the condition. */
  readonly condition: Omit<ScriptAction, 'kind'> | null;
}
