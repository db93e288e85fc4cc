/** A program's output as it comes, without blocking the rest, and with an eye on the clock: what a server does not send must not stop the updater. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { FetchLimits } from './config.ts';

export interface Incoming {
  /** Some bytes; empty at the end. Throws `fetch.stalled`. */
  readonly read: (maxBytes: number) => Promise<Uint8Array>;
  /** The program's exit code, once it has ended. */
  readonly exited: Promise<number>;
  /** Ends it, if it still runs. */
  readonly close: () => Promise<void>;
}

export interface IncomingOptions {
  readonly environment: Readonly<Record<string, string>>;
  /** Takes what it prints on standard error. */
  readonly errorPath: string;
  readonly limits: FetchLimits;
  readonly onBytes: (count: number) => void;
}

const SIGKILL = 9;

export function startIncoming(system: System, argv: readonly string[], options: IncomingOptions): Incoming {
  const ends = system.pipe();
  const errors = system.open(options.errorPath, { access: 'write', create: { mode: 0o600 } });
  let pid = -1;
  let ended = false;
  const exited = new Promise<number>((resolve) => {
    pid = system.spawn(argv, {
      stdout: ends.write,
      environment: options.environment,
      onExit: (code) => {
        ended = true;
        resolve(code);
      },
      ...(errors < 0 ? {} : { stderr: errors }),
    });
    if (pid < 0) resolve(127);
  });
  system.close(ends.write);
  if (errors >= 0) system.close(errors);
  // The same pipe through another description, so that reading does not wait.
  const source = system.open(`/proc/self/fd/${ends.read}`, { access: 'read', nonBlocking: true });
  system.close(ends.read);
  let open = source >= 0;
  const release = (): void => {
    if (open) system.close(source);
    open = false;
  };
  const watch = speedWatch(system, options.limits);
  return {
    exited,
    close: async () => {
      release();
      if (pid >= 0 && !ended) system.kill(pid, SIGKILL);
      await exited;
    },
    read: async (maxBytes) => {
      while (open) {
        const bytes = system.read(source, maxBytes);
        if (bytes instanceof Uint8Array && bytes.length > 0) {
          options.onBytes(bytes.length);
          watch.received(bytes.length);
          return bytes;
        }
        if (bytes !== 'again') release();
        else await watch.wait((wake) => onceReadable(system, source, wake));
      }
      return new Uint8Array(0);
    },
  };
}

/** Counts only the time in which something was waited for: a reader that takes its time makes no server slow. */
function speedWatch(
  system: System,
  limits: FetchLimits,
): { received: (count: number) => void; wait: (until: (wake: () => void) => () => void) => Promise<void> } {
  let waitedMs = 0;
  let bytes = 0;
  const windowMs = limits.stallSeconds * 1000;
  const check = (): void => {
    if (waitedMs < windowMs) return;
    if ((bytes * 1000) / waitedMs < limits.minimumBytesPerSecond)
      throw new SlipwayError('fetch.stalled', `${bytes} bytes in ${Math.round(waitedMs / 1000)} s`);
    waitedMs = 0;
    bytes = 0;
  };
  return {
    received: (count) => {
      bytes += count;
    },
    wait: async (until) => {
      const start = system.uptimeMs();
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          cancelTimer();
          cancel();
          resolve();
        };
        const cancelTimer = system.after(windowMs - waitedMs, wake);
        const cancel = until(wake);
      });
      waitedMs += system.uptimeMs() - start;
      check();
    },
  };
}

function onceReadable(system: System, fd: number, wake: () => void): () => void {
  system.onReadable(fd, wake);
  return () => system.onReadable(fd, undefined);
}

export function pause(system: System, delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    system.after(delayMs, resolve);
  });
}
