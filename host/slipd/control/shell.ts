/**
 * `slip shell`: a root shell in the host's own namespaces. With a terminal, util-linux's `script` gives it a pseudo-terminal of its own,
 * and so job control, and copies without loss. (crun could give one too, but mounts it on the host's /dev/console, and up to 1.28 loses
 * output when the reader is slower: https://github.com/containers/crun/issues/2207.) Every use is written down.
 */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import type { System } from '../../../system/system.ts';
import { PROGRAMS } from '../paths.ts';
import type { SessionProgram } from './session.ts';

const LOG_LIMIT_BYTES = 256 * 1024;

/** `command`: words for the host's shell to run; none: a login shell. */
export function shellProgram(session: {
  readonly terminal: string | null;
  readonly command: readonly string[];
}): SessionProgram {
  const argv = session.command.length === 0 ? [PROGRAMS.shell, '-l'] : session.command;
  if (session.terminal === null) return { argv, pidFile: null, output: 'fifo' };
  const line = argv.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return {
    argv: [PROGRAMS.script, '--quiet', '--return', '--command', `exec ${line}`, '/dev/null'],
    pidFile: null,
    output: 'terminal',
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
