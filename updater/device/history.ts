/** What became of each update, a JSON line each. Bounded; lost lines and a full disk change nothing (failure 33). */
import { UPDATE_PATHS } from '../../spec/update.ts';
import type { System } from '../../system/system.ts';
import { PATHS } from './paths.ts';
import type { UpdateRecord } from './switch/record-content.ts';

export interface HistoryEvent {
  /** Unix time in seconds, by this machine's clock. */
  readonly at: number;
  readonly event: 'installed' | 'switched' | 'committed' | 'failed' | 'rolled-back' | 'taken-back';
  readonly version: string;
  readonly from?: string;
  readonly detail?: string;
  /** Last lines of what failed. */
  readonly logs?: readonly string[];
  readonly bytes?: number;
}

const MAX_EVENTS = 100;
const MAX_LINE = 4096;
const EVENTS = ['installed', 'switched', 'committed', 'failed', 'rolled-back', 'taken-back'];

/** Oldest first. What is no event is passed over. */
export function readHistory(system: System): readonly HistoryEvent[] {
  const lines = (system.readText(PATHS.history) ?? '').split('\n');
  return lines.flatMap((line) => parseEvent(line) ?? []).slice(-MAX_EVENTS);
}

export function addHistory(system: System, ...events: readonly HistoryEvent[]): void {
  if (events.length === 0) return;
  const lines = [...readHistory(system), ...events]
    .slice(-MAX_EVENTS)
    .map((event) => JSON.stringify(event))
    .filter((line) => line.length <= MAX_LINE);
  try {
    system.makeDirectory(UPDATE_PATHS.state, 0o700);
    system.writeText(PATHS.history, `${lines.join('\n')}\n`, 0o600);
  } catch {
    system.log('slip update: the history could not be written');
  }
}

/** What slipd and the boot loader decided since the last look, out of the update record. */
export function followRecord(system: System, record: UpdateRecord): void {
  const known = readHistory(system);
  const has = (event: HistoryEvent['event'], version: string, at: number): boolean =>
    known.some((one) => one.event === event && one.version === version && one.at === at);
  const { committed, failed } = record;
  const events = failed
    .filter(({ version, at }) => !has('failed', version, at) && !has('rolled-back', version, at))
    .map(({ version, reason, logs, at }): HistoryEvent => ({
      at,
      event: 'failed',
      version,
      detail: reason,
      ...(logs.length === 0 ? {} : { logs }),
    }));
  if (committed !== null && !has('committed', committed.version, committed.at))
    events.push({ at: committed.at, event: 'committed', version: committed.version });
  addHistory(system, ...events.sort((a, b) => a.at - b.at));
}

function parseEvent(line: string): HistoryEvent | undefined {
  if (line === '' || line.length > MAX_LINE) return undefined;
  try {
    const value = JSON.parse(line) as HistoryEvent;
    const sound =
      typeof value.at === 'number' && EVENTS.includes(value.event) && typeof value.version === 'string';
    return sound ? value : undefined;
  } catch {
    return undefined;
  }
}
