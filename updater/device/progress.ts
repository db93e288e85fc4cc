/**
 * How far an update is: a bar on a terminal, now and then a line elsewhere, and a file for `slip update status`. With rate, what remains, and
 * what is being done.
 */
import { formatBytes, formatDuration } from '../../system/format.ts';
import type { System } from '../../system/system.ts';
import type { ApplyPhase } from './apply/facts.ts';
import { write, type Output } from './output.ts';
import { PATHS } from './paths.ts';

export type Phase = ApplyPhase | 'install' | 'switch' | 'reboot';

export interface Progress {
  /** What is done next. */
  readonly phase: (phase: Phase) => void;
  /** Within a phase: of the result, and over the network since the start. */
  readonly advance: (phase: Phase, doneBytes: number, totalBytes: number, receivedBytes: number) => void;
  /** Before other output, and at the end. */
  readonly clear: () => void;
  /** At the end, however it ended: the file goes. */
  readonly end: () => void;
}

/** PATHS.progress. */
export interface ProgressFile {
  readonly version: string;
  readonly phase: Phase;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly receivedBytes: number;
  readonly bytesPerSecond: number;
}

const WORDS: Readonly<Record<Phase, string>> = {
  root: 'downloading',
  verify: 'verifying',
  repair: 'fetching what the old version could not give',
  uki: 'downloading the kernel',
  install: 'installing',
  switch: 'switching',
  reboot: 'restarting',
};
const BAR_INTERVAL_MS = 200;
const LINE_INTERVAL_MS = 5_000;
const FILE_INTERVAL_MS = 1_000;
const BAR_WIDTH = 24;

export function createProgress(
  system: System,
  output: Output,
  options: { readonly version: string; readonly terminal: boolean },
): Progress {
  let current: Phase | undefined;
  let since = { ms: system.uptimeMs(), received: 0, done: 0 };
  let shownMs = -Infinity;
  let filedMs = -Infinity;
  let width = 0;
  const bar = options.terminal && output.format === 'text';

  const clear = (): void => {
    if (width > 0) write(system, 2, `\r${' '.repeat(width)}\r`);
    width = 0;
  };
  const show = (text: string): void => {
    if (!bar) return output.note(text);
    write(system, 2, `\r${text.padEnd(width)}`);
    width = text.length;
  };
  const enter = (phase: Phase, done: number, received: number): void => {
    if (phase === current) return;
    current = phase;
    since = { ms: system.uptimeMs(), received, done };
    shownMs = -Infinity;
  };

  return {
    phase: (phase) => {
      enter(phase, 0, since.received);
      clear();
      show(`${WORDS[phase]} ${options.version}`);
      file(system, {
        version: options.version,
        phase,
        doneBytes: 0,
        totalBytes: 0,
        receivedBytes: 0,
        bytesPerSecond: 0,
      });
    },
    advance: (phase, doneBytes, totalBytes, receivedBytes) => {
      enter(phase, doneBytes, receivedBytes);
      const nowMs = system.uptimeMs();
      const seconds = Math.max(0.001, (nowMs - since.ms) / 1000);
      const bytesPerSecond = Math.round((receivedBytes - since.received) / seconds);
      if (nowMs - filedMs >= FILE_INTERVAL_MS) {
        filedMs = nowMs;
        file(system, {
          version: options.version,
          phase,
          doneBytes,
          totalBytes,
          receivedBytes,
          bytesPerSecond,
        });
      }
      if (nowMs - shownMs < (bar ? BAR_INTERVAL_MS : LINE_INTERVAL_MS) && doneBytes < totalBytes) return;
      shownMs = nowMs;
      const perSecond = (doneBytes - since.done) / seconds;
      // The first moments, a connection that is being opened, say nothing of the rest.
      const tells = seconds >= 2 && doneBytes - since.done > totalBytes / 100;
      const remainingMs = tells ? ((totalBytes - doneBytes) / perSecond) * 1000 : undefined;
      show(progressLine({ phase, doneBytes, totalBytes, receivedBytes, bytesPerSecond, remainingMs, bar }));
    },
    clear,
    end: () => {
      clear();
      system.remove(PATHS.progress);
    },
  };
}

interface Line {
  readonly phase: Phase;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly receivedBytes: number;
  readonly bytesPerSecond: number;
  readonly remainingMs: number | undefined;
  readonly bar: boolean;
}

/** `downloading [#####     ] 43 %, 1.2 MB fetched, 310 kB/s, 12s left`. */
export function progressLine(line: Line): string {
  const part = line.totalBytes === 0 ? 1 : Math.min(1, line.doneBytes / line.totalBytes);
  const filled = Math.floor(part * BAR_WIDTH);
  return [
    `${WORDS[line.phase]} ${line.bar ? `[${'#'.repeat(filled).padEnd(BAR_WIDTH)}] ` : ''}${Math.floor(part * 100)} %`,
    ...(line.phase === 'root' || line.phase === 'uki'
      ? [`${formatBytes(line.receivedBytes)} fetched`, `${formatBytes(line.bytesPerSecond)}/s`]
      : []),
    ...(line.remainingMs === undefined || part === 1
      ? []
      : [`${formatDuration(Math.max(1000, line.remainingMs))} left`]),
  ].join(', ');
}

/** What is under way, by somebody else's words. */
export function readProgress(system: System): ProgressFile | undefined {
  try {
    return JSON.parse(system.readText(PATHS.progress) ?? '') as ProgressFile;
  } catch {
    return undefined;
  }
}

function file(system: System, progress: ProgressFile): void {
  try {
    system.writeText(PATHS.progress, `${JSON.stringify(progress)}\n`);
  } catch {
    // A full /run: nobody sees how far it is.
  }
}
