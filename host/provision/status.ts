/** How it went, where slipd, `slip config status` and people find it. */
import { PROVISIONING_PATHS, type ConfigStatus } from '../../spec/provisioning.ts';
import type { System } from '../../system/system.ts';
import { banner, sayOnConsole } from './console.ts';
import { PATHS } from './paths.ts';

export const NO_CONFIGURATION: ConfigStatus = {
  format: '1.0',
  source: null,
  origin: null,
  instanceId: null,
  digest: null,
  state: 'none',
  keys: [],
  problems: [],
  notes: [],
  revertsAt: null,
};

/** Writes the status, and the gate with it. `loud`: on the console too, where something failed. `gate`: `shut` where a failure is the version's own. */
export function publishStatus(
  system: System,
  status: ConfigStatus,
  loud: 'loud' | 'quiet',
  gate: 'shut' | 'open' = 'shut',
): void {
  makeRuntimeDirectory(system);
  const said = system.status(PATHS.status) === undefined ? undefined : banner(readStatus(system));
  system.writeText(PATHS.status, `${JSON.stringify(status)}\n`, 0o600);
  const problem = gate === 'open' ? undefined : problemOf(status);
  if (problem === undefined) system.remove(PATHS.problem);
  else system.writeText(PATHS.problem, `${problem}\n`, 0o600);
  const text = banner(status);
  if (loud === 'loud' && text !== undefined && text !== said) sayOnConsole(system, text);
}

export function readStatus(system: System): ConfigStatus {
  const text = system.readText(PATHS.status);
  return text === undefined ? NO_CONFIGURATION : (JSON.parse(text) as ConfigStatus);
}

export function makeRuntimeDirectory(system: System): void {
  system.makeDirectory(PROVISIONING_PATHS.runtime, 0o700);
}

/** slipd looks at what changed. */
export function wakeSlipd(system: System): void {
  const fd = system.open('/run/slipway/wake', { access: 'write', nonBlocking: true });
  if (fd < 0) return;
  system.write(fd, system.encode('\n'));
  system.close(fd);
}

function problemOf(status: ConfigStatus): string | undefined {
  if (status.state !== 'failed') return undefined;
  const [first = 'the configuration failed', ...more] = status.problems;
  return more.length === 0 ? first : `${first} (and ${more.length} more)`;
}
