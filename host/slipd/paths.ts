/** Every path that slipd uses beside those of spec/machine.ts. */
import { MACHINE_PATHS } from '../../spec/machine.ts';

const { runtime } = MACHINE_PATHS;

export const PATHS = {
  runtime,
  /** One runit service directory for each service. */
  services: `${runtime}/services`,
  /** slipd's memory: JSON. */
  memory: `${runtime}/memory.json`,
  /** FIFO: a line wakes slipd (an exit, see monitor.ts). */
  wake: `${runtime}/wake`,
  /** Written by the boot scripts: root-hash, slot, version, and what was found wrong. */
  boot: `${runtime}/boot`,
  /** Exists once `sysinit` is through: file systems are mounted, the files of /etc made. */
  ready: `${runtime}/boot/ready`,
  pidFile: `${runtime}/slipd.pid`,
  shutdown: MACHINE_PATHS.shutdown,
  /** Exists once every service is down: the shutdown script waits for it. */
  stopped: `${runtime}/stopped`,
  /** Commands that run for clients: `<id>` holds process id and start time. */
  sessions: `${runtime}/sessions`,
  /** crun's own state, one directory a container. */
  crun: '/run/crun',
  cgroups: '/sys/fs/cgroup/slipway',
  authorizedKeys: '/run/slipway/authorized_keys',
  firmwareKeys: '/sys/firmware/qemu_fw_cfg/by_name/opt/org.slipway/ssh-authorized-keys/raw',
  homes: '/var/lib/slipway/home',
  virtioPorts: '/sys/class/virtio-ports',
  watchdogDevice: '/dev/watchdog',
  watchdogIdentity: '/sys/class/watchdog/watchdog0/identity',
  kernelLog: '/dev/kmsg',
} as const;

export const PROGRAMS = {
  shell: '/bin/sh',
  busybox: '/usr/bin/busybox',
  crun: '/usr/bin/crun',
  runsv: '/usr/bin/runsv',
  svlogd: '/usr/bin/svlogd',
  qjs: '/usr/bin/qjs',
  script: '/usr/bin/script',
} as const;

/** What every program that slipd starts sees. */
export const ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/root',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
};

/**
 * How the updater's programs are run. QuickJS 2025-04-26 ends a program at once when a promise is rejected that nobody waits for yet, even if the
 * next line does (`await` of an async function that throws before its first own `await`).
 */
export const UPDATER_MODULE = ['--no-unhandled-rejection', '-m'] as const;
