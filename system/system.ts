/**
 * The one door from host code to the machine: files, descriptors, programs, clocks, events. Two implementations: quickjs.ts (the
 * machine) and node.ts (tests). Calls that can fail in the ordinary course of things return `undefined` or an errno, never throw.
 */

export interface FileStatus {
  readonly kind: 'file' | 'directory' | 'symlink' | 'fifo' | 'character' | 'block' | 'socket';
  /** Permission bits, set-id and sticky included (07777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly sizeBytes: number;
  readonly links: number;
  readonly inode: number;
  /** Of a device node. */
  readonly deviceMajor: number;
  readonly modifiedMs: number;
}

export interface OpenOptions {
  readonly access: 'read' | 'write' | 'read-write';
  /** Do not wait for a FIFO's other end, nor for data. */
  readonly nonBlocking?: boolean;
  /** Refuse a symbolic link as the last component. */
  readonly noFollow?: boolean;
  readonly append?: boolean;
  /** Each write is on the disk, whole, when it returns (O_SYNC). */
  readonly synchronous?: boolean;
  readonly create?: { readonly mode: number; readonly exclusive?: boolean };
}

export interface SpawnOptions {
  /** Descriptors of ours; /dev/null unless told. */
  readonly stdin?: number;
  readonly stdout?: number;
  readonly stderr?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Called once, with the exit code, or 128 + signal. */
  readonly onExit?: (code: number) => void;
}

export type SignalName = 'SIGTERM' | 'SIGINT' | 'SIGHUP' | 'SIGWINCH' | 'SIGPIPE' | 'SIGQUIT' | 'SIGTSTP';

export interface System {
  /** Milliseconds since the kernel started; never steps. */
  uptimeMs(): number;
  /** Unix time in milliseconds; may step. */
  wallClockMs(): number;
  readonly pid: number;

  /** The whole file as text; `undefined` when it cannot be read. */
  readText(path: string): string | undefined;
  /** Replaces a file as a whole (temporary file, rename). Throws when it cannot. */
  writeText(path: string, text: string, mode?: number): void;
  status(path: string): FileStatus | undefined;
  /** Like `status`, of a symbolic link itself. */
  linkStatus(path: string): FileStatus | undefined;
  readLink(path: string): string | undefined;
  /** Names in a directory, without `.` and `..`; empty when it cannot be read. */
  list(path: string): readonly string[];
  /** Makes a directory and its missing parents (those 0755). False when it could not. */
  makeDirectory(path: string, mode?: number): boolean;
  makeLink(target: string, path: string): boolean;
  /** Removes a file or an empty directory; false when it was not there. */
  remove(path: string): boolean;
  rename(from: string, to: string): boolean;

  /** A descriptor, or a negative errno. */
  open(path: string, options: OpenOptions): number;
  close(fd: number): void;
  /** The status of an open descriptor. */
  descriptorStatus(fd: number): FileStatus | undefined;
  /** Some bytes; empty at the end; `again` when there are none yet; `failed` on an error. */
  read(fd: number, maxBytes: number): Uint8Array | 'again' | 'failed';
  /** How many bytes were taken; `again` when none could be; `failed` on an error. */
  write(fd: number, bytes: Uint8Array): number | 'again' | 'failed';
  /** `undefined` takes the handler away. */
  /** Up to `maxBytes` from `offset` of a file or block device; empty behind its end. */
  readAt(fd: number, offset: number, maxBytes: number): Uint8Array | 'failed';
  /** Writes all of it at `offset`; false when the medium took less, or failed. */
  writeAt(fd: number, offset: number, bytes: Uint8Array): boolean;
  onReadable(fd: number, handler: (() => void) | undefined): void;
  onWritable(fd: number, handler: (() => void) | undefined): void;
  /** Both ends of a new pipe. */
  pipe(): { readonly read: number; readonly write: number };

  /** Starts a program, looked up in PATH; returns its process id, or a negative number. Throws never. */
  spawn(argv: readonly string[], options?: SpawnOptions): number;
  /** False when there is no such process. Signal 0 only asks. */
  kill(pid: number, signal: number): boolean;
  onSignal(name: SignalName, handler: (() => void) | undefined): void;
  /** Returns a function that cancels. */
  after(delayMs: number, callback: () => void): () => void;

  encode(text: string): Uint8Array;
  decode(bytes: Uint8Array): string;
  randomBytes(count: number): Uint8Array;

  /** For the operator of a machine in trouble: standard error. */
  log(line: string): void;

  readonly arguments: readonly string[];
  environment(name: string): string | undefined;
  isTerminal(fd: number): boolean;
  exit(code: number): never;
}
