/** A container's mounts: Docker's defaults, then the service's own, parents before children. */
import * as posix from '../spec/posix-path.ts';
import { MACHINE_PATHS } from '../spec/machine.ts';
import type { ServiceDefinition, VolumeMount } from '../spec/service.ts';
import type { OciMount } from './runtime-spec.ts';

const SHM_BYTES = 64 * 1024 * 1024;

/** Where named volumes are kept on the machine. */
export const VOLUMES = `${MACHINE_PATHS.state}/volumes`;
/** Where `x-slipway.state` directories are kept on the machine, by service. */
export const STATE = `${MACHINE_PATHS.state}/state`;

/** Every mount of a container, in the order in which crun makes them. */
export function ociMounts(service: ServiceDefinition, extra: readonly OciMount[] = []): readonly OciMount[] {
  const own = [
    ...extra,
    ...generatedEtc(service),
    ...service.state.map((state) => bind(stateSource(service.name, state.path), state.path, ['rw'])),
    ...service.volumes.map(volumeMount),
  ];
  const merged = new Map<string, OciMount>();
  // A later mount on the same place replaces the earlier: that is how a service changes a default.
  for (const mount of [...defaultMounts(service), ...own]) merged.set(mount.destination, mount);
  const depth = (mount: OciMount): number => mount.destination.split('/').length;
  // Array.prototype.sort is stable: within one depth, the defaults' and then the file's order stays.
  return [...merged.values()].sort((a, b) => depth(a) - depth(b));
}

/** The directory on the machine that is mounted at a state directory's path. */
export function stateSource(service: string, path: string): string {
  return posix.join(STATE, service, path);
}

function defaultMounts(service: ServiceDefinition): readonly OciMount[] {
  const { privileged } = service;
  const access = privileged ? 'rw' : 'ro';
  const mount = (
    destination: string,
    type: string,
    source: string,
    options: readonly string[],
  ): OciMount => ({
    destination,
    type,
    source,
    options,
  });
  return [
    mount('/proc', 'proc', 'proc', ['nosuid', 'noexec', 'nodev']),
    privileged
      ? bind('/dev', '/dev', ['rw'])
      : mount('/dev', 'tmpfs', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
    mount('/dev/pts', 'devpts', 'devpts', [
      ...['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    ]),
    mount('/sys', 'sysfs', 'sysfs', ['nosuid', 'noexec', 'nodev', access]),
    mount('/sys/fs/cgroup', 'cgroup', 'cgroup', ['nosuid', 'noexec', 'nodev', 'relatime', access]),
    mount('/dev/mqueue', 'mqueue', 'mqueue', ['nosuid', 'noexec', 'nodev']),
    service.ipc === 'host'
      ? bind('/dev/shm', '/dev/shm', ['rw'])
      : mount('/dev/shm', 'tmpfs', 'shm', ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${SHM_BYTES}`]),
  ];
}

/**
 * With the host's network come the machine's resolv.conf and hosts. The directory is mounted, and the container's /etc has links into it
 * (root-entries.ts): a bind of the file itself would keep the old one for ever once it is replaced by a rename, as DHCP clients do.
 */
function generatedEtc(service: ServiceDefinition): readonly OciMount[] {
  if (service.networkMode !== 'host') return [];
  return [bind(MACHINE_PATHS.generatedEtc, MACHINE_PATHS.generatedEtc, ['rro', 'nosuid', 'nodev', 'noexec'])];
}

function volumeMount(volume: VolumeMount): OciMount {
  switch (volume.kind) {
    case 'bind':
      return bind(volume.source, volume.target, [access(volume)], volume.propagation);
    case 'volume':
      return bind(posix.join(VOLUMES, volume.name), volume.target, [access(volume)]);
    case 'tmpfs':
      return {
        destination: posix.normalize(volume.target),
        type: 'tmpfs',
        source: 'tmpfs',
        options: [
          ...['nosuid', 'nodev', 'noexec'],
          ...(volume.mode === undefined ? [] : [`mode=${volume.mode.toString(8).padStart(4, '0')}`]),
          ...(volume.sizeBytes === undefined ? [] : [`size=${volume.sizeBytes}`]),
        ],
      };
  }
}

/** `rro`: read-only with all that is mounted below, as Docker does since version 25. */
function access({ readOnly }: { readonly readOnly: boolean }): 'rro' | 'rw' {
  return readOnly ? 'rro' : 'rw';
}

function bind(
  source: string,
  destination: string,
  options: readonly string[],
  propagation = 'rprivate',
): OciMount {
  return {
    destination: trimmed(destination),
    type: 'bind',
    source: trimmed(source),
    options: ['rbind', propagation === '' ? 'rprivate' : propagation, ...options],
  };
}

function trimmed(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** The propagation that the container's root needs so that a shared or slave bind in it does what it says (as Docker sets it). */
export function rootfsPropagation(mounts: readonly OciMount[]): 'shared' | 'slave' | undefined {
  const has = (name: string): boolean => mounts.some((mount) => mount.options.includes(name));
  if (has('shared') || has('rshared')) return 'shared';
  return has('slave') || has('rslave') ? 'slave' : undefined;
}

/** Docker's, for everything that is not privileged. */
export const MASKED_PATHS: readonly string[] = [
  ...['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats'],
  ...['/proc/sched_debug', '/proc/scsi', '/proc/timer_list', '/proc/timer_stats'],
  ...['/sys/devices/virtual/powercap', '/sys/firmware'],
];

export const READONLY_PATHS: readonly string[] = [
  ...['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
];
