/** The health check as an argv that needs no interpretation on the machine. */
import type { HealthCheck } from '../spec/machine.ts';
import { requireProgram, type ProgramSearch } from './program.ts';

/**
 * `CMD-SHELL` becomes `/bin/sh -c`, `CMD` its arguments, `NONE` no check. Its program must be in the root: a check that can't run would
 * make a gate fail for ever (decisions.md 20).
 */
export function machineHealthCheck(
  check: HealthCheck | undefined,
  search: Omit<ProgramSearch, 'key'>,
): HealthCheck | undefined {
  if (check === undefined) return undefined;
  const command = healthCommand(check.command);
  const program = command[0];
  if (program === undefined) return undefined;
  requireProgram(program, { ...search, key: 'healthcheck' });
  return { ...check, command };
}

function healthCommand(command: readonly string[]): readonly string[] {
  const [kind, ...rest] = command;
  if (kind === 'NONE') return [];
  if (kind === 'CMD') return rest;
  if (kind === 'CMD-SHELL') return ['/bin/sh', '-c', rest.join(' ')];
  return command;
}
