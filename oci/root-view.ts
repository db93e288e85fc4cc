/** Read-only lookups in a container's root file system: a list of entries at build time, a directory on the machine. */

/** What stands at a path. */
export interface RootPlace {
  readonly type: 'file' | 'directory' | 'symlink' | 'hardlink';
  /** Absolute, within the root. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface RootView {
  /** What stands at an absolute path once every symbolic link in it is followed; `undefined` when nothing does. */
  resolve(path: string): RootPlace | undefined;
  /** A file's text; empty when there is none. */
  text(path: string): string;
}
