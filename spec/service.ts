import type { FileEntry, PackageSelection } from './image.ts';
import type { HealthCheck, RestartPolicy, ServiceCondition } from './machine.ts';

/** Where a service's root file system comes from: Debian packages, or an OCI image. */
export type RootSource =
  | { readonly kind: 'packages'; readonly packages: readonly PackageSelection[] }
  | { readonly kind: 'image'; readonly reference: string };

export type VolumeMount =
  | {
      readonly kind: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly propagation: string;
      /** Create the source directory when it is missing (Compose: bind.create_host_path). */
      readonly createHostPath: boolean;
    }
  | { readonly kind: 'volume'; readonly name: string; readonly target: string; readonly readOnly: boolean }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes?: number; readonly mode?: number };

export interface Ulimit {
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
}

/** A directory kept under /var/lib/slipway/state/<service> and mounted at `path` in the container. */
export interface StateDirectory {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
}

/** One service after `extends`, `include`, profiles and defaults. Field names follow the Compose Specification's keys. */
export interface ServiceDefinition {
  readonly name: string;
  /** The compose file that defines it, absolute. */
  readonly file: string;
  readonly root: RootSource;
  /** `undefined`: the OCI image's own. */
  readonly command?: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDir?: string;
  /** `user[:group]`, names or numbers, resolved in the container's own /etc/passwd at build time. */
  readonly user?: string;
  readonly groupAdd: readonly string[];
  readonly hostname?: string;
  readonly volumes: readonly VolumeMount[];
  readonly devices: readonly {
    readonly source: string;
    readonly target: string;
    readonly permissions: string;
  }[];
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly securityOpt: {
    readonly noNewPrivileges: boolean;
    /** `default`, `unconfined`, or the absolute path of a profile in Docker's format. */
    readonly seccomp: string;
  };
  readonly readOnly: boolean;
  readonly networkMode: 'host' | 'none';
  readonly pid: 'private' | 'host';
  readonly ipc: 'private' | 'host';
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ulimits: readonly Ulimit[];
  readonly memLimitBytes?: number;
  readonly cpus?: number;
  readonly cpuShares?: number;
  readonly pidsLimit?: number;
  readonly oomScoreAdj?: number;
  readonly restart: RestartPolicy;
  readonly stopSignal: string;
  readonly stopGraceMs: number;
  readonly init: boolean;
  readonly dependsOn: readonly {
    readonly service: string;
    readonly condition: ServiceCondition;
    readonly required: boolean;
    readonly restart: boolean;
  }[];
  readonly healthCheck?: HealthCheck;
  readonly labels: Readonly<Record<string, string>>;
  readonly profiles: readonly string[];
  // x-slipway
  readonly type: 'service' | 'onboot' | 'onshutdown';
  readonly gate: boolean;
  readonly state: readonly StateDirectory[];
  readonly files: readonly FileEntry[];
}
