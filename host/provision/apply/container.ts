/**
 * The container that scripts run in: the host's own read-only root in namespaces of its own, with the host's network. It writes below
 * /var and to /home, not where the system keeps what it knows, and has the capabilities that files and users take, no others.
 */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import { SCRIPT_CAPABILITIES } from '../../../spec/provisioning.ts';
import type { System } from '../../../system/system.ts';
import { HOMES } from '../plan/paths.ts';

/** Where the script stands in it. */
export const SCRIPT_IN_CONTAINER = '/run/slipway-script';
const MEMORY_SHARE = 0.5;
const PIDS = 1024;
/** As the kernel has them. */
export const OPEN_FILES = { soft: 1024, hard: 4096 };

/** config.json of the OCI runtime specification 1.0. Pure. */
export function scriptBundle(
  name: string,
  paths: { readonly root: string; readonly script: string },
  environment: Readonly<Record<string, string>>,
  /** `controllers`: of the control groups of this kernel. `seccomp`: the filter that the builder made, in base64. */
  limits: {
    readonly memoryBytes: number;
    readonly controllers: readonly string[];
    readonly seccomp?: string;
  },
): unknown {
  const all = [...SCRIPT_CAPABILITIES];
  const bind = (destination: string, source: string, ...options: readonly string[]) => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', 'nosuid', 'nodev', ...options],
  });
  const memory = (destination: string, ...options: readonly string[]) => ({
    destination,
    type: 'tmpfs',
    source: 'tmpfs',
    options: ['nosuid', 'nodev', ...options],
  });
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: [SCRIPT_IN_CONTAINER],
      env: Object.entries(environment).map(([key, value]) => `${key}=${value}`),
      cwd: '/',
      capabilities: { bounding: all, effective: all, permitted: all },
      // What is open to a provisioner at a boot is less (host/boot/sysinit).
      rlimits: [{ type: 'RLIMIT_NOFILE', ...OPEN_FILES }],
      noNewPrivileges: true,
      oomScoreAdj: 500,
    },
    root: { path: paths.root, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
      { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
      { ...memory('/dev', 'noexec', 'mode=755', 'size=64k'), options: ['nosuid', 'mode=755', 'size=64k'] },
      bind('/usr', '/usr', 'ro'),
      bind('/etc', '/etc', 'ro'),
      memory('/run', 'mode=755', 'size=16m'),
      bind(MACHINE_PATHS.generatedEtc, MACHINE_PATHS.generatedEtc, 'ro'),
      bind(SCRIPT_IN_CONTAINER, paths.script, 'ro'),
      memory('/tmp', 'mode=1777', 'size=25%'),
      bind('/var', '/var', 'rw'),
      memory(MACHINE_PATHS.state, 'ro', 'mode=755', 'size=4k'),
      memory(MACHINE_PATHS.logs, 'ro', 'mode=755', 'size=4k'),
      bind('/home', HOMES, 'rw'),
    ],
    // crun loads it as it is (oci/bundle.ts).
    ...(limits.seccomp === undefined ? {} : { annotations: { 'run.oci.seccomp_bpf_data': limits.seccomp } }),
    linux: {
      cgroupsPath: `/slipway/${name}`,
      namespaces: ['pid', 'ipc', 'uts', 'mount', 'cgroup'].map((type) => ({ type })),
      resources: {
        ...(limits.controllers.includes('memory')
          ? { memory: { limit: Math.floor((limits.memoryBytes * MEMORY_SHARE) / 4096) * 4096 } }
          : {}),
        ...(limits.controllers.includes('pids') ? { pids: { limit: PIDS } } : {}),
        devices: [{ allow: false, access: 'rwm' }],
      },
      maskedPaths: [
        '/proc/acpi',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/proc/sched_debug',
        '/proc/scsi',
        '/sys/firmware',
      ],
      readonlyPaths: [
        '/proc/asound',
        '/proc/bus',
        '/proc/fs',
        '/proc/irq',
        '/proc/sys',
        '/proc/sysrq-trigger',
      ],
    },
  };
}

/** The directory that becomes its root: mount points and the links of a merged /usr. */
export function makeContainerRoot(system: System, root: string): void {
  for (const name of ['usr', 'etc', 'proc', 'sys', 'dev', 'run', 'tmp', 'var', 'home', 'root'])
    system.makeDirectory(`${root}/${name}`);
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    if (system.linkStatus(`${root}/${name}`) === undefined) system.makeLink(`usr/${name}`, `${root}/${name}`);
}
