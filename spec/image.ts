import type { ProvisioningPolicy } from './provisioning.ts';
import type { ServiceDefinition } from './service.ts';
import type { ImageUpdate } from './update.ts';

export type Architecture = 'amd64' | 'arm64';

/** What to take from a Debian package. Without `files`, everything but documentation and what only a distribution needs. */
export interface PackageSelection {
  readonly name: string;
  /** Globs of absolute paths (`*` within one component, `**` across); only these are taken. Shared libraries that they need come by themselves. */
  readonly files?: readonly string[];
}

export interface ImageUser {
  readonly name: string;
  readonly uid: number;
  readonly groups: readonly string[];
  readonly shell: string;
  readonly sshAuthorizedKeys: readonly string[];
}

/** A literal file of the image's own: exactly one of `content` and `source` (path on the workstation, resolved). */
export interface FileEntry {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly content?: string;
  readonly source?: string;
}

/** An image definition after `extends`, `include`, profiles and defaults: what the builder builds. */
export interface ImageDefinition {
  /** Absolute path of the file that it was read from. */
  readonly file: string;
  readonly name: string;
  readonly version: string;
  readonly architecture: Architecture;
  readonly distribution: {
    readonly suite: string;
    readonly mirror?: string;
    readonly securityMirror?: string;
  };
  readonly kernel: {
    readonly package: string;
    /** Modules beyond those that the builder always needs; their dependencies come by themselves. */
    readonly modules: readonly string[];
    /** Modules that the initrd holds, too: what a machine may need to reach its disk. */
    readonly initrdModules: readonly string[];
    readonly commandLine: readonly string[];
    readonly firmware: readonly PackageSelection[];
    readonly microcode: boolean;
  };
  readonly host: {
    readonly packages: readonly PackageSelection[];
    readonly files: readonly FileEntry[];
    /** Whether `slip shell` may give operators a root shell in the host's namespaces. */
    readonly shell: boolean;
    /** How long every gate must stay healthy before a boot counts as good, in milliseconds. */
    readonly gateSoakMs: number;
  };
  readonly users: readonly ImageUser[];
  readonly disk: { readonly sectorSize: 512 | 4096; readonly stateSizeBytes: number };
  /** Without it the state partition is plain. */
  readonly state?: { readonly encrypt: 'tpm2' };
  /** Without it the machine has no updater. */
  readonly update?: ImageUpdate;
  /** Without it the machine has no provisioner. */
  readonly provisioning?: ImageProvisioning;
  readonly inputs: readonly string[];
  /** Profiles that were active when it was read; `debug` signs under the debug CA and adds a console shell. */
  readonly profiles: readonly string[];
  readonly services: readonly ServiceDefinition[];
  /** Every file that was read to make this, absolute, in reading order: the inputs of the stage cache. */
  readonly sources: readonly string[];
}

export interface ImageProvisioning {
  readonly policy: ProvisioningPolicy;
  /** The built-in configuration; path on the workstation. */
  readonly userDataFile?: string;
}
