/** `slip exec`: a command in a running container, with the container's own environment. */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import type { System } from '../../../system/system.ts';
import { PROGRAMS } from '../paths.ts';
import type { SessionProgram } from './session.ts';

export function execProgram(
  system: System,
  id: string,
  request: {
    readonly service: string;
    readonly command: readonly string[];
    readonly user: string | null;
    readonly terminal: string | null;
    readonly termType: string;
  },
): SessionProgram {
  const pidFile = `${MACHINE_PATHS.runtime}/exec-${id}`;
  // crun's `--env` replaces what the container has: all of it has to be said again.
  const environment = [...containerEnvironment(system, request.service), `TERM=${request.termType}`];
  const terminal =
    request.terminal === null ? [] : ['--tty', ...environment.flatMap((entry) => ['--env', entry])];
  const user = request.user === null ? [] : ['--user', request.user];
  return {
    argv: [
      PROGRAMS.crun,
      'exec',
      ...terminal,
      ...user,
      '--pid-file',
      pidFile,
      request.service,
      ...request.command,
    ],
    pidFile,
    output: 'fifo',
    ended: () => void system.remove(pidFile),
  };
}

function containerEnvironment(system: System, service: string): readonly string[] {
  const text = system.readText(`${MACHINE_PATHS.containers}/${service}/config.json`);
  if (text === undefined) return [];
  const config = JSON.parse(text) as { process?: { env?: readonly string[] } };
  return (config.process?.env ?? []).filter((entry) => !entry.startsWith('TERM='));
}
