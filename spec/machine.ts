/**
 * What the builder tells the machine: `/usr/lib/slipway/machine.json`, in the verified root. The builder writes it, slipd reads it.
 */

/** Fixed paths on the machine. */
export const MACHINE_PATHS = {
  /** MachineDescription, JSON. */
  description: '/usr/lib/slipway/machine.json',
  /** slipd.js, slip.js and the boot scripts. */
  programs: '/usr/lib/slipway',
  /** `<service>/config.json` and `<service>/rootfs/`: OCI bundles. */
  containers: '/usr/lib/slipway/containers',
  /** The state partition's file system without anything in it, for `slip state reset`; zstd. */
  emptyState: '/usr/lib/slipway/state.ext4.zst',
  /** Everything that lives as long as a boot. */
  runtime: '/run/slipway',
  /** What a shutdown ends with: `reboot`, `poweroff`, or `external` (init is at it, and knows). */
  shutdown: '/run/slipway/shutdown',
  /** `<service>/{upper,work,rootfs}`: overlays of writable services (MachineService.writable). */
  overlays: '/run/slipway/overlay',
  /** What slipd and the services keep; on the state partition. */
  state: '/var/lib/slipway',
  /** `<service>/current` and rotated files, written by svlogd. */
  logs: '/var/log/slipway',
  /** Generated files of /etc are links to here. */
  generatedEtc: '/run/etc',
} as const;

/** virtio-serial port on which slipd reports, one JSON `MachineReport` a line, where a hypervisor offers it. */
export const REPORT_PORT = 'org.slipway.report';

/** QEMU fw_cfg file with OpenSSH public keys, one a line, for every user in the group `operators`. */
export const FW_CFG_AUTHORIZED_KEYS = 'opt/org.slipway/ssh-authorized-keys';

export type ServiceCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export type RestartPolicy =
  | { readonly policy: 'no' | 'always' | 'unless-stopped' }
  | { readonly policy: 'on-failure'; readonly maxRetries?: number };

/** Compose's `healthcheck`, in milliseconds. `command` is an argv that is run inside the container. */
export interface HealthCheck {
  readonly command: readonly string[];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
  readonly startIntervalMs: number;
}

/** A directory that slipd makes before the service starts, with its owner and mode set each time (unless `keep`). */
export interface PreparedDirectory {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Owner and mode are those of a new one: whatever stands there already is left as it is (Compose: bind.create_host_path). */
  readonly keep?: boolean;
}

export interface MachineService {
  readonly name: string;
  readonly type: 'service' | 'onboot' | 'onshutdown';
  readonly gate: boolean;
  readonly dependsOn: readonly {
    readonly service: string;
    readonly condition: ServiceCondition;
    readonly required: boolean;
    readonly restart: boolean;
  }[];
  readonly restart: RestartPolicy;
  readonly stopSignal: string;
  readonly stopGraceMs: number;
  readonly healthCheck?: HealthCheck;
  readonly directories: readonly PreparedDirectory[];
  /**
   * Its root file system can be written (`read_only: false`): before its first start of a boot, an overlay is mounted on
   * `<overlays>/<name>/rootfs` (lowerdir `<containers>/<name>/rootfs`, upperdir `<overlays>/<name>/upper`, workdir `.../work`), and stays
   * over restarts. config.json names it as the root.
   */
  readonly writable: boolean;
  /** Where its OCI bundle lies; `<containers>/<name>` unless told. */
  readonly bundle?: string;
}

export interface MachineDescription {
  readonly format: '1.0';
  readonly image: { readonly name: string; readonly version: string; readonly architecture: string };
  /** Whether `slip shell` may give operators a root shell in the host's namespaces. */
  readonly shell: boolean;
  readonly gateSoakMs: number;
  readonly users: readonly {
    readonly name: string;
    readonly uid: number;
    readonly groups: readonly string[];
    readonly shell: string;
    readonly sshAuthorizedKeys: readonly string[];
  }[];
  readonly services: readonly MachineService[];
}

export type ServiceState =
  'waiting' | 'starting' | 'running' | 'backoff' | 'failing' | 'stopping' | 'stopped' | 'completed';
export type ServiceHealth = 'none' | 'starting' | 'healthy' | 'unhealthy';

export interface ServiceStatus {
  readonly name: string;
  readonly type: MachineService['type'];
  readonly gate: boolean;
  readonly state: ServiceState;
  readonly health: ServiceHealth;
  readonly restarts: number;
  readonly exitCode: number | null;
  readonly pid: number | null;
  readonly memoryBytes: number | null;
  readonly uptimeMs: number | null;
  /** Why it is not as it should be, in one line. */
  readonly reason: string | null;
}

/** How the running version stands with the updater; the rest of it is told by `slip update status`. */
export interface UpdateStatus {
  /** `trial`: it has yet to prove itself. `degraded`: it did not, and there is nothing to return to. */
  readonly state: 'trial' | 'committed' | 'degraded';
  readonly reason: string | null;
  /** Of a trial: what must be well beside the services. */
  readonly gates: readonly {
    readonly name: string;
    readonly state: 'unknown' | 'healthy' | 'unhealthy';
    readonly detail: string | null;
  }[];
  /** The version that is tried at the next start. */
  readonly next: string | null;
  /** Versions that were given up here; `at` is Unix time in seconds. */
  readonly failed: readonly {
    readonly version: string;
    readonly reason: string;
    readonly logs: readonly string[];
    readonly at: number;
  }[];
}

/** `slip status --json`. */
export interface MachineStatus {
  readonly format: '1.0';
  readonly image: MachineDescription['image'];
  readonly rootHash: string;
  readonly slot: 'a' | 'b' | 'unknown';
  /** `starting` until every gate is healthy for the soak time; `tampered` where the command line is not the signed one. */
  readonly boot: 'starting' | 'healthy' | 'degraded';
  /** Uptime since which every gate has been healthy without a break; `null` while one is not. */
  readonly gatesHealthySinceMs: number | null;
  readonly problems: readonly string[];
  readonly watchdog: 'hardware' | 'softdog' | 'none';
  readonly uptimeMs: number;
  readonly memory: { readonly totalBytes: number; readonly availableBytes: number };
  readonly services: readonly ServiceStatus[];
  /** Not in images without an updater. */
  readonly update?: UpdateStatus;
}

/** `slip state show --json`. */
export interface StateStatus {
  /** `/dev/vda7`; `null` where the disk has no state partition. */
  readonly device: string | null;
  readonly sizeBytes: number | null;
  /** File system and options of /var. `tmpfs ...`: what stands in its place, until the next boot. */
  readonly mounted: string;
  /** Why it is not in use; `null` while it is. */
  readonly problem: string | null;
  /** `tpm2`: encrypted, and opened by the TPM. `locked`: encrypted, and not in use. */
  readonly encryption: 'none' | 'tpm2' | 'locked';
  /** What e2fsck said as the machine booted; empty where it was not asked. */
  readonly check: readonly string[];
}

/** One line on the report port. */
export type MachineReport =
  | { readonly event: 'started'; readonly uptimeMs: number; readonly status: MachineStatus }
  | { readonly event: 'healthy'; readonly uptimeMs: number; readonly status: MachineStatus }
  | { readonly event: 'degraded'; readonly uptimeMs: number; readonly status: MachineStatus }
  | { readonly event: 'shutdown'; readonly uptimeMs: number; readonly action: 'reboot' | 'poweroff' };
