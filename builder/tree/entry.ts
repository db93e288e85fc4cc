/** What a tree (root file system, initrd) is made of, before any bytes are written: one ordered list of entries. */

/** Where a file's bytes are: in memory, or a range of a file in the cache. */
export type FileSource =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | {
      readonly kind: 'path';
      readonly path: string;
      readonly offset: number;
      readonly sizeBytes: number;
      readonly sha256: string;
    };

interface EntryBase {
  /** Absolute, normalised, no trailing slash; `/usr/bin`, never `/bin` (merged /usr). */
  readonly path: string;
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** What it is counted under in the size report: `kernel`, `modules`, `host`, `slipway`, or `service:<name>`. */
  readonly component: string;
}

export type TreeEntry = EntryBase &
  (
    | { readonly type: 'file'; readonly source: FileSource }
    | { readonly type: 'directory' }
    | { readonly type: 'symlink'; readonly target: string }
    /** `target` is the absolute path of a file entry that comes earlier. */
    | { readonly type: 'hardlink'; readonly target: string }
  );
