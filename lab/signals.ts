/** Waiting for something to become true, woken by what makes it so; never by looking again after a while. */

export interface Signals {
  /** Something changed: whoever waits looks again. */
  readonly notify: () => void;
  /** Nothing will change any more: whoever waits in vain fails with this. */
  readonly fail: (error: Error) => void;
  readonly wait: <T>(look: () => T | undefined, limitMs: number, late: () => Error) => Promise<T>;
}

export function openSignals(): Signals {
  const waiters = new Set<() => void>();
  let failure: Error | undefined;
  const notify = (): void => {
    for (const waiter of [...waiters]) waiter();
  };
  return {
    notify,
    fail: (error) => {
      failure = error;
      notify();
    },
    wait: (look, limitMs, late) =>
      new Promise((resolve, reject) => {
        const end = (): void => {
          clearTimeout(timer);
          waiters.delete(waiter);
        };
        const waiter = (): void => {
          const found = look();
          if (found !== undefined) {
            end();
            resolve(found);
          } else if (failure !== undefined) {
            end();
            reject(failure);
          }
        };
        const timer = setTimeout(() => {
          end();
          reject(late());
        }, limitMs);
        waiters.add(waiter);
        waiter();
      }),
  };
}
