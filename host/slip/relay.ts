/**
 * Output on its way to a terminal, with room between: the source is always read at once, however slow the terminal is, as crun (1.21 to
 * 1.28) loses what it cannot write at once. Only past a limit the source has to wait.
 */
import type { System } from '../../system/system.ts';

const CHUNK_BYTES = 65536;
const LIMIT_BYTES = 32 * 1024 * 1024;

/** `done` is called when the source has ended and all of it is written, or the target is gone. */
export function startRelay(system: System, source: number, target: number, done: () => void): void {
  // Opened anew, so that only we do not wait for it, and not the shell that shares the terminal with us.
  const opened = system.open(`/proc/self/fd/${target}`, { access: 'write', nonBlocking: true });
  const out = opened < 0 ? target : opened;
  const queue: Uint8Array[] = [];
  let queued = 0;
  let ended = false;
  system.onReadable(source, read);

  function read(): void {
    take();
    write();
  }

  /** All that is there. */
  function take(): void {
    while (!ended && queued <= LIMIT_BYTES) {
      const bytes = system.read(source, CHUNK_BYTES);
      if (bytes === 'again') return;
      if (bytes === 'failed' || bytes.length === 0) ended = true;
      else {
        queue.push(bytes);
        queued += bytes.length;
      }
    }
    system.onReadable(source, undefined);
  }

  function write(): void {
    while (queue.length > 0) {
      const written = system.write(out, queue[0]!);
      if (written === 'failed') return finish();
      if (written === 'again') return system.onWritable(out, write);
      queued -= written;
      if (written === queue[0]!.length) queue.shift();
      else queue[0] = queue[0]!.subarray(written);
      if (!ended) take();
    }
    system.onWritable(out, undefined);
    if (ended) return finish();
    system.onReadable(source, read);
  }

  function finish(): void {
    system.onReadable(source, undefined);
    system.onWritable(out, undefined);
    done();
  }
}
