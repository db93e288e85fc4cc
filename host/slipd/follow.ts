/**
 * The updater's timer: when it is time, poll.js looks whether anything is new, and if so (or if that cannot be told) update.js does what is due. Both in a
 * control group of their own; between two looks nothing of them is in memory, and nothing that they do or fail to do holds up slipd.
 */
import { UPDATE_PATHS } from '../../spec/update.ts';
import type { System } from '../../system/system.ts';
import { ENVIRONMENT, UPDATER_MODULE } from './paths.ts';
import { confined } from './update.ts';

/** The first look after a start: spread, as many machines may start together. */
const FIRST = { leastMs: 20_000, spreadMs: 60_000 };
/** How often the time of the next look is looked at. */
const TICK_MS = 5_000;
/** After an updater that did not say when it wants to be started again. */
const RETRY_MS = 300_000;

export interface Follower {
  /** Called on each turn; `allowed`: not during a trial, nor while the machine goes down. */
  tick(allowed: boolean): void;
}

export function createFollower(system: System): Follower {
  const startedMs = system.uptimeMs();
  const [chance = 0] = system.randomBytes(1);
  const firstMs = startedMs + FIRST.leastMs + (chance / 256) * FIRST.spreadMs;
  let notBeforeMs = startedMs;
  let running = false;

  function tick(allowed: boolean): void {
    const nowMs = system.uptimeMs();
    if (running || !allowed || nowMs < notBeforeMs) return;
    notBeforeMs = nowMs + TICK_MS;
    const next = Number(system.readText(UPDATE_PATHS.next)?.trim() ?? 'NaN');
    // Wall-clock time: it may step, so it is compared anew each time.
    if (Number.isNaN(next) ? nowMs < firstMs : system.wallClockMs() < next * 1000) return;
    running = true;
    start([UPDATE_PATHS.poll], (code) => {
      if (code === 0) running = false;
      else start([UPDATE_PATHS.program, 'follow'], settle);
    });
  }

  /** An updater that broke off may not have set the next time. */
  function settle(): void {
    running = false;
    const next = Number(system.readText(UPDATE_PATHS.next)?.trim() ?? 'NaN');
    if (!(next * 1000 > system.wallClockMs())) notBeforeMs = system.uptimeMs() + RETRY_MS;
  }

  /** What it says of its last run lies in /run. */
  function start(words: readonly string[], ended: (code: number) => void): void {
    system.makeDirectory(UPDATE_PATHS.runtime, 0o755);
    const log = system.open(`${UPDATE_PATHS.runtime}/log`, { access: 'write', create: { mode: 0o600 } });
    const streams = log < 0 ? {} : { stdout: log, stderr: log };
    const pid = system.spawn(confined([...UPDATER_MODULE, ...words]), {
      ...streams,
      environment: ENVIRONMENT,
      onExit: ended,
    });
    if (log >= 0) system.close(log);
    if (pid < 0) ended(127);
  }

  return { tick };
}
