/** Where a repository is pushed to: what every kind of place can do. */
export interface LocalFile {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

export interface PushTarget {
  /** For people: what was asked for, without secrets. */
  readonly address: string;
  /** Uploads at a time. */
  readonly parallel: number;
  /** Files that one upload takes at most: more than one where each costs a connection. */
  readonly batch: number;
  /** The repository's files that are there, whole, with their sizes. Empty when the place does not exist yet. */
  list(): Promise<ReadonlyMap<string, number>>;
  /** A small file; `undefined` when there is none. */
  read(name: string): Promise<Buffer | undefined>;
  /** Each appears under its name when it is whole, where the place can do that. `done` is called for each. Called again after a failure, it goes on. */
  upload(files: readonly LocalFile[], done: (file: LocalFile) => void): Promise<void>;
  /** Puts a small file in the old one's place: in one step, where the place can do that. */
  replace(name: string, bytes: Uint8Array): Promise<void>;
  /** Those that are gone already are no error. */
  remove(names: readonly string[]): Promise<void>;
}
