/**
 * `slip shell`: a root shell in the host's own namespaces. With a terminal, it runs inside a "container" that has no namespaces and whose
 * root is the host's: `crun exec` then gives it a pseudo-terminal of its own, and so job control. (`crun run` with a terminal would
 * mount that on the host's /dev/console.) Every use is written down.
 */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PROGRAMS } from '../paths.ts';
import type { SessionProgram } from './session.ts';

const LOG_LIMIT_BYTES = 256 * 1024;

export function shellProgram(
  system: System,
  id: string,
  session: {
    readonly terminal: string | null;
    readonly termType: string;
    readonly command: readonly string[];
  },
): SessionProgram {
  const shell = session.command.length === 0 ? [PROGRAMS.shell, '-l'] : session.command;
  if (session.terminal === null) return { argv: shell, pidFile: null };
  const bundle = `${MACHINE_PATHS.runtime}/shell/${id}`;
  const name = `shell-${id}`;
  system.makeDirectory(bundle, 0o700);
  system.writeText(`${bundle}/config.json`, JSON.stringify(hostBundle(system, id)));
  const environment = { ...ENVIRONMENT, TERM: session.termType, SLIP_SHELL: 'host' };
  return {
    before: [PROGRAMS.crun, 'run', '--detach', '--bundle', bundle, name],
    argv: [
      PROGRAMS.crun,
      'exec',
      '--tty',
      ...Object.entries(environment).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
      '--pid-file',
      `${bundle}/pid`,
      name,
      ...shell,
    ],
    pidFile: `${bundle}/pid`,
    ended: () => {
      // Its control group goes, and with it what the shell left in the background.
      system.spawn([PROGRAMS.crun, 'delete', '--force', name], { environment: ENVIRONMENT });
      for (const file of ['config.json', 'pid']) system.remove(`${bundle}/${file}`);
      system.remove(bundle);
    },
  };
}

/** Who, when, what: in /var/log/slipway/shell and on the console. */
export function recordShell(system: System, who: string, command: readonly string[]): void {
  const when = new Date(system.wallClockMs()).toISOString();
  const what = command.length === 0 ? 'an interactive shell' : JSON.stringify(command);
  const line = `${when} slip shell: ${who} started ${what}\n`;
  const path = `${MACHINE_PATHS.logs}/shell`;
  if ((system.status(path)?.sizeBytes ?? 0) > LOG_LIMIT_BYTES) system.rename(path, `${path}.1`);
  append(system, path, line);
  append(system, '/dev/console', line);
}

function append(system: System, path: string, text: string): void {
  const create = path.startsWith('/dev/') ? {} : { create: { mode: 0o600 } };
  const fd = system.open(path, { access: 'write', append: true, nonBlocking: true, ...create });
  if (fd < 0) return;
  system.write(fd, system.encode(text));
  system.close(fd);
}

/** An OCI configuration that takes nothing away: the host itself, with every capability that slipd has. */
function hostBundle(system: System, id: string): unknown {
  const held = BigInt(
    `0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(system.readText('/proc/self/status') ?? '')?.[1] ?? '0'}`,
  );
  const capabilities = CAPABILITIES.filter((_, bit) => (held >> BigInt(bit)) & 1n).map(
    (name) => `CAP_${name}`,
  );
  return {
    ociVersion: '1.0.0',
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: [PROGRAMS.busybox, 'sleep', '2147483647'],
      env: Object.entries(ENVIRONMENT).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      noNewPrivileges: false,
    },
    root: { path: '/', readonly: false },
    mounts: [],
    linux: { cgroupsPath: `/slipway-shell/${id}`, namespaces: [] },
  };
}

/** In the order of their numbers (capabilities(7)). */
const CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM ' +
  'BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');
