/** The programs of the updater that slipd starts, and what `slip status` says of updates. */
import type { UpdateStatus } from '../../spec/machine.ts';
import { MACHINE_PATHS } from '../../spec/machine.ts';
import { UPDATE_PATHS } from '../../spec/update.ts';
import type { System } from '../../system/system.ts';
import { isLive } from './live.ts';
import { ENVIRONMENT, PATHS, PROGRAMS, UPDATER_MODULE } from './paths.ts';
import type { UpdateGate, UpdateMemory } from './plan/memory.ts';

const OUTPUT_LIMIT_BYTES = 8192;
const DETAIL_LENGTH = 200;
const LOG_TAIL_BYTES = 1500;
const LOG_LINES = 6;
const LAST_WORDS_MS = 20;
const LEAVE_TRIAL_LIMIT_MS = 20_000;
/** What fetching and verifying may take of the machine's memory. */
const MEMORY_BYTES = 24 * 1024 * 1024;

export function hasUpdater(system: System): boolean {
  // A live machine has no slots: what runs is replaced with its medium.
  return system.status(UPDATE_PATHS.switch) !== undefined && !isLive(system);
}

/** `switch.js COMMAND REASON`, with the last lines of a service's log as its input. */
export function startSwitch(
  system: System,
  command: string,
  reason: string,
  service: string | undefined,
  done: (code: number, detail: string) => void,
): void {
  const argv = [PROGRAMS.qjs, ...UPDATER_MODULE, UPDATE_PATHS.switch, command, reason];
  run(system, argv, service === undefined ? '' : lastLines(system, service), done);
}

/** The machine goes down in good order in the midst of a trial: that says nothing against the version, and costs it no try (failure 22). */
export function leaveTrial(system: System, update: UpdateMemory | null, done: () => void): void {
  if (update?.phase !== 'trying' && update?.phase !== 'confirming') return done();
  let over = false;
  const finish = (): void => {
    if (!over) done();
    over = true;
  };
  startSwitch(system, 'retry', '', undefined, finish);
  system.after(LEAVE_TRIAL_LIMIT_MS, finish);
}

export function checkUpdateGate(
  system: System,
  gate: UpdateGate,
  done: (ok: boolean, detail: string) => void,
): void {
  const argv =
    gate === 'network'
      ? [PROGRAMS.qjs, ...UPDATER_MODULE, UPDATE_PATHS.switch, 'network']
      : confined([...UPDATER_MODULE, UPDATE_PATHS.program, 'gate']);
  run(system, argv, '', (code, detail) => done(code === 0, detail === '' ? `exit code ${code}` : detail));
}

/** For `slip status`: what switch.js left in /run, and what slipd itself is at. */
export function readUpdate(system: System, update: UpdateMemory | null): UpdateStatus | undefined {
  if (update === null) return undefined;
  const known = summary(system);
  const gates = update.phase === 'trying' ? update.gates : undefined;
  return {
    state:
      update.phase === 'trying' || update.phase === 'confirming'
        ? 'trial'
        : update.phase === 'committed'
          ? 'committed'
          : 'degraded',
    reason: update.reason,
    gates:
      gates === undefined
        ? []
        : Object.entries(gates).map(([name, { state, detail }]) => ({ name, state, detail })),
    next: known?.next ?? null,
    failed: known?.failed ?? [],
  };
}

/** What the weekly scrub found rotten, and could not repair. */
export function updateAlarms(system: System): readonly string[] {
  return summary(system)?.alarms ?? [];
}

type Summary = Pick<UpdateStatus, 'next' | 'failed'> & { readonly alarms?: readonly string[] };

function summary(system: System): Summary | undefined {
  const text = system.readText(`${PATHS.runtime}/update.json`);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Summary);
  } catch {
    return undefined;
  }
}

/** In a control group of its own: an update takes no memory from the services. */
export function confined(words: readonly string[]): readonly string[] {
  const script =
    'mkdir -p "$0" && echo "$1" >"$0/memory.max" && echo $$ >"$0/cgroup.procs"; shift; exec "$@"';
  return [PROGRAMS.shell, '-c', script, `${PATHS.cgroups}/update`, `${MEMORY_BYTES}`, PROGRAMS.qjs, ...words];
}

function run(
  system: System,
  argv: readonly string[],
  input: string,
  done: (code: number, detail: string) => void,
): void {
  const output = system.pipe();
  const given = system.pipe();
  // Short enough for the pipe to hold, so that this does not wait.
  system.write(given.write, system.encode(input.slice(0, 4096)));
  system.close(given.write);
  let text = '';
  let reading = true;
  const stop = (): void => {
    if (reading) system.close(output.read);
    reading = false;
  };
  const pid = system.spawn(argv, {
    stdin: given.read,
    stdout: output.write,
    stderr: output.write,
    environment: ENVIRONMENT,
    onExit: (code) =>
      // Its last words may still be on their way.
      void system.after(LAST_WORDS_MS, () => {
        stop();
        done(code, lastLine(text));
      }),
  });
  system.close(output.write);
  system.close(given.read);
  system.onReadable(output.read, () => {
    const bytes = system.read(output.read, OUTPUT_LIMIT_BYTES);
    if (bytes === 'again') return;
    if (bytes === 'failed' || bytes.length === 0) return stop();
    text = `${text}${system.decode(bytes)}`.slice(-OUTPUT_LIMIT_BYTES);
  });
  if (pid < 0) {
    stop();
    done(127, 'it could not be started');
  }
}

function lastLines(system: System, service: string): string {
  const path = `${MACHINE_PATHS.logs}/${service}/current`;
  const size = system.status(path)?.sizeBytes ?? 0;
  const fd = system.open(path, { access: 'read', noFollow: true });
  if (fd < 0) return '';
  const bytes = system.readAt(fd, Math.max(0, size - LOG_TAIL_BYTES), LOG_TAIL_BYTES);
  system.close(fd);
  return bytes === 'failed' ? '' : system.decode(bytes).trim().split('\n').slice(-LOG_LINES).join('\n');
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').trim().slice(0, DETAIL_LENGTH);
}
