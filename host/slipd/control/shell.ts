/**
 * `slip shell`: a root shell in the host's own namespaces. With a terminal, crun runs a bundle without namespaces whose root is the
 * host's: that gives the shell a pseudo-terminal of its own, and so job control. Every use is written down.
 */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, PATHS, PROGRAMS } from '../paths.ts';
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
  system.makeDirectory(bundle, 0o700);
  system.writeText(`${bundle}/config.json`, JSON.stringify(hostBundle(id, shell, session.termType)));
  const name = `shell-${id}`;
  return {
    argv: [PROGRAMS.crun, 'run', '--pid-file', `${bundle}/pid`, '--bundle', bundle, name],
    pidFile: `${bundle}/pid`,
    ended: () => {
      for (const file of ['config.json', 'pid']) system.remove(`${bundle}/${file}`);
      system.remove(bundle);
      // Killed by force, crun leaves its state behind.
      if (system.status(`${PATHS.crun}/${name}`) !== undefined)
        system.spawn([PROGRAMS.crun, 'delete', '--force', name], { environment: ENVIRONMENT });
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

/** An OCI configuration that takes nothing away: the host itself, with every capability. */
function hostBundle(id: string, args: readonly string[], termType: string): unknown {
  const all = ALL_CAPABILITIES.map((name) => `CAP_${name}`);
  return {
    ociVersion: '1.0.0',
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args,
      env: Object.entries({ ...ENVIRONMENT, TERM: termType }).map(([name, value]) => `${name}=${value}`),
      cwd: '/',
      capabilities: { bounding: all, effective: all, permitted: all },
      noNewPrivileges: false,
    },
    root: { path: '/', readonly: false },
    mounts: [],
    linux: { cgroupsPath: `/slipway-shell/${id}`, namespaces: [] },
  };
}

const ALL_CAPABILITIES = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM ' +
  'BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');
