/** What long work tells about itself; cli/ draws it. */
export interface Progress {
  /** Runs one named step and tells how long it took. */
  step<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** A download: bytes so far of bytes in all. */
  bytes(name: string, doneBytes: number, totalBytes: number): void;
  note(text: string): void;
}

export const silentProgress: Progress = {
  step: (_name, work) => work(),
  bytes: () => undefined,
  note: () => undefined,
};
