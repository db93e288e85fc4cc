/** Ctrl-C, a closed connection, an orderly end: the work stops where nothing is half done; what was fetched is kept. */
import type { System } from '../../system/system.ts';

/** No SlipwayError, so that no retry takes it for a mirror's fault. */
export class Interrupted extends Error {
  constructor() {
    super('interrupted; what was fetched is kept, and the next start goes on from there');
    this.name = 'Interrupted';
  }
}

/** 128 + SIGINT. */
export const INTERRUPTED_EXIT = 130;

/** Returns what is called wherever stopping leaves nothing half done; it throws Interrupted once a signal came. */
export function watchInterrupts(system: System): () => void {
  let interrupted = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const)
    system.onSignal(name, () => {
      interrupted = true;
    });
  // A client that is gone: writes to it fail, and are not worth dying for.
  system.onSignal('SIGPIPE', () => undefined);
  return () => {
    if (interrupted) throw new Interrupted();
  };
}
