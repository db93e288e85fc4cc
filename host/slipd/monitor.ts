/**
 * The monitors: for each service a runit service directory under /run and a `runsv` in it, which is the parent of the container
 * (`crun run`), holds its output for `svlogd`, and outlives slipd. slipd speaks with it through files and FIFOs alone.
 *
 * `run`        starts the container; runit is told `once`, so that it never restarts anything: policy is slipd's
 * `finish`     records how the run ended in `exit`, then wakes slipd
 * `run-number` what slipd asked for last; `pid` the container's first process, written by crun once it runs
 */
import { MACHINE_PATHS, type MachineService } from '../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PATHS, PROGRAMS } from './paths.ts';
import type { MonitorFacts } from './plan/observe.ts';
import { bundleOf } from './provisioned.ts';

export const LOG_FILE_BYTES = 256 * 1024;
export const LOG_FILES = 4;
/** Containers get the usual limits of a service, not those of slipd, which are small so that its forks are cheap. */
const OPEN_FILES = { soft: 1024, hard: 524288 };

/** Writes the service directories and starts a monitor in each that has none. `ready` is called when the wake FIFO exists. */
export function startMonitors(system: System, services: readonly MachineService[], ready: () => void): void {
  const missing = services.filter(({ name }) => !isAlive(system, name));
  for (const service of services)
    if (service.bundle !== undefined || missing.includes(service)) writeServiceDirectory(system, service);
  system.makeDirectory(PATHS.services, 0o755);
  // One shell in its own session starts them all: they become init's children, whoever starts them, and outlive slipd.
  const script = 'umask 022; [ -p "$0" ] || mkfifo -m 600 "$0"; for d; do runsv "$d" & done';
  const directories = missing.map(({ name }) => `${PATHS.services}/${name}`);
  system.spawn([PROGRAMS.busybox, 'setsid', PROGRAMS.shell, '-c', script, PATHS.wake, ...directories], {
    environment: ENVIRONMENT,
    stderr: 2,
    onExit: ready,
  });
}

/** Starts a run. False while the monitor is not ready to be told. */
export function startRun(system: System, name: string, run: number): boolean {
  const directory = `${PATHS.services}/${name}`;
  // While `finish` runs, runsv would take the order and forget it.
  const finishing = system.readText(`${directory}/supervise/stat`)?.startsWith('finish') === true;
  if (finishing || !isAlive(system, name)) return false;
  system.remove(`${directory}/exit`);
  system.remove(`${directory}/pid`);
  system.writeText(`${directory}/run-number`, `${run}\n`);
  return tell(system, name, 'o');
}

/** Sends a signal to the container's first process, through `crun run`, which passes it on. */
export function signalRun(system: System, name: string, signal: number): boolean {
  const facts = monitorFacts(system, name);
  if (facts.pid !== null && facts.running) return system.kill(facts.pid, signal);
  const pid = Number(system.readText(`${PATHS.services}/${name}/supervise/pid`)?.trim() || '0');
  return pid > 1 && system.kill(pid, signal);
}

/** Ends every process of the service, wherever it hides: the whole control group, then the container's first process. */
export function killRun(system: System, name: string): void {
  const kill = system.open(`${PATHS.cgroups}/${name}/cgroup.kill`, { access: 'write' });
  if (kill >= 0) {
    system.write(kill, system.encode('1'));
    system.close(kill);
  }
  signalRun(system, name, 9);
}

/** Ends the monitor and its log writer, once the service is down. */
export function endMonitor(system: System, name: string): void {
  tell(system, name, 'x');
}

/** Whether there is something to see: crun has brought the ordered run up, or the order has yet to be given. */
export function startHasNews(system: System, name: string, run: number): boolean {
  const directory = `${PATHS.services}/${name}`;
  if (system.readText(`${directory}/run-number`) !== `${run}\n`) return true;
  return system.status(`${directory}/pid`) !== undefined;
}

export function monitorFacts(system: System, name: string): MonitorFacts {
  const directory = `${PATHS.services}/${name}`;
  const state = system.readText(`${directory}/supervise/stat`)?.trim() ?? 'down';
  const pid = Number(system.readText(`${directory}/pid`)?.trim() || '0');
  const exit = parseExit(system.readText(`${directory}/exit`));
  return {
    alive: isAlive(system, name),
    running: state.startsWith('run') || state.startsWith('finish'),
    run: Number(system.readText(`${directory}/run-number`)?.trim() || '0'),
    pid: pid > 0 ? pid : null,
    exit,
  };
}

/** `<exit code or -1> <signal> <uptime in seconds>`, as `finish` wrote it. */
export function parseExit(text: string | undefined): MonitorFacts['exit'] {
  const match = /^(-?\d+) (\d+) (\d+(?:\.\d+)?)\n$/.exec(text ?? '');
  if (match === null) return null;
  const code = Number(match[1]);
  return {
    code: code >= 0 ? code : 128 + (Number(match[2]) & 0x7f),
    atMs: Math.round(Number(match[3]) * 1000),
  };
}

function isAlive(system: System, name: string): boolean {
  const fd = system.open(`${PATHS.services}/${name}/supervise/ok`, { access: 'write', nonBlocking: true });
  if (fd < 0) return false;
  system.close(fd);
  return true;
}

function tell(system: System, name: string, command: string): boolean {
  const fd = system.open(`${PATHS.services}/${name}/supervise/control`, {
    access: 'write',
    nonBlocking: true,
  });
  if (fd < 0) return false;
  const written = system.write(fd, system.encode(command));
  system.close(fd);
  return written === 1;
}

function writeServiceDirectory(system: System, service: MachineService): void {
  const { name } = service;
  const directory = `${PATHS.services}/${name}`;
  const logs = `${MACHINE_PATHS.logs}/${name}`;
  const bundle = bundleOf(service);
  system.makeDirectory(`${directory}/log`);
  system.makeDirectory(logs, 0o750);
  system.writeText(`${directory}/down`, '');
  system.writeText(
    `${directory}/run`,
    `#!/bin/sh
exec 2>&1
ulimit -Hn ${OPEN_FILES.hard} 2>/dev/null; ulimit -Sn ${OPEN_FILES.soft}
[ ! -e ${PATHS.crun}/${name} ] || crun delete --force ${name}
${overlayScript(service)}exec crun run --pid-file ${directory}/pid --bundle ${bundle} ${name}
`,
    0o755,
  );
  system.writeText(
    `${directory}/finish`,
    `#!/bin/sh
read up rest </proc/uptime
echo "$1 $2 $up" >exit
echo ${name} 1<>${PATHS.wake}
`,
    0o755,
  );
  // Where it cannot write it says so every three seconds, and on the console for as long as the disk is full.
  system.writeText(`${directory}/log/run`, `#!/bin/sh\nexec svlogd -tt ${logs} 2>/dev/null\n`, 0o755);
  writeLogLimits(system, `${logs}/config`);
}

/** On the state partition, which may be full or cannot be written: then older limits, or svlogd's own, must do. */
function writeLogLimits(system: System, path: string): void {
  const limits = `s${LOG_FILE_BYTES}\nn${LOG_FILES}\n`;
  if (system.readText(path) === limits) return;
  try {
    system.writeText(path, limits);
  } catch {
    system.remove(`${path}.new`);
  }
}

/**
 * Once a boot: what the service writes stays over restarts, and goes with the boot, or with the bundle that it was written over. A bundle of
 * provisioning has what its service needs beside the root in a directory of its own (host/provision/services/bundle.ts), laid over it.
 */
export function overlayScript(service: MachineService): string {
  const { name, bundle, writable } = service;
  if (!writable && bundle === undefined) return '';
  const overlay = `${MACHINE_PATHS.overlays}/${name}`;
  const root = `${bundleOf(service)}/rootfs`;
  const lower = bundle === undefined ? root : `${bundle}/additions:${root}`;
  const upper = writable ? `,upperdir=${overlay}/upper,workdir=${overlay}/work` : '';
  const replace = `umount ${overlay}/rootfs 2>/dev/null; rm -rf ${overlay}`;
  return `grep -q ' ${overlay}/rootfs .*lowerdir=${lower}[, ]' /proc/mounts || {
  ${bundle === undefined ? '' : `${replace}\n  `}mkdir -p ${overlay}/upper ${overlay}/work ${overlay}/rootfs
  mount -t overlay -o ${writable ? '' : 'ro,'}lowerdir=${lower}${upper} overlay ${overlay}/rootfs || exit 125
}
`;
}
