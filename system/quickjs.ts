/**
 * The machine itself, through QuickJS's `os` and `std` modules (2025-04-26). What they lack (fstat, O_NONBLOCK, TextEncoder) is made
 * up here with /proc/self/fd and plain numbers.
 */
import * as osModule from 'os';
import * as std from 'std';
import { concatenate } from './bytes.ts';
import type { FileStatus, OpenOptions, SpawnOptions, System } from './system.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** The part of QuickJS's `os` that is used; Node's types know another module by that name. */
interface QuickJsOs {
  open(path: string, flags: number, mode?: number): number;
  close(fd: number): number;
  read(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  write(fd: number, buffer: ArrayBufferLike, offset: number, length: number): number;
  seek(fd: number, offset: number, whence: number): number;
  isatty(fd: number): boolean;
  remove(path: string): number;
  rename(from: string, to: string): number;
  mkdir(path: string, mode: number): number;
  stat(path: string): [QuickJsStat | null, number];
  lstat(path: string): [QuickJsStat | null, number];
  readlink(path: string): [string, number];
  symlink(target: string, path: string): number;
  readdir(path: string): [string[], number];
  setReadHandler(fd: number, handler: (() => void) | null): void;
  setWriteHandler(fd: number, handler: (() => void) | null): void;
  signal(signal: number, handler: (() => void) | null | undefined): void;
  exec(argv: readonly string[], options: Record<string, unknown>): number;
  waitpid(pid: number, options: number): [number, number];
  kill(pid: number, signal: number): number;
  pipe(): [number, number] | null;
  getpid(): number;
  now(): number;
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(handle: unknown): void;
}
interface QuickJsStat {
  mode: number;
  uid: number;
  gid: number;
  size: number;
  nlink: number;
  ino: number;
  rdev: number;
  mtime: number;
}

const os = osModule as unknown as QuickJsOs;

// Linux numbers, the same on amd64 and arm64 unless told.
const O_WRONLY = 0o1;
const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
const O_TRUNC = 0o1000;
const O_APPEND = 0o2000;
const O_NONBLOCK = 0o4000;
const O_SYNC = 0o4010000;
const O_NOFOLLOW = { amd64: 0o400000, arm64: 0o100000 };
const EAGAIN = 11;
const WNOHANG = 1;
const SIGNALS = { SIGTERM: 15, SIGINT: 2, SIGHUP: 1, SIGWINCH: 28, SIGPIPE: 13, SIGQUIT: 3, SIGTSTP: 20 };
const SIGCHLD = 17;
const KINDS: Record<number, FileStatus['kind']> = {
  0o140000: 'socket',
  0o120000: 'symlink',
  0o100000: 'file',
  0o060000: 'block',
  0o040000: 'directory',
  0o020000: 'character',
  0o010000: 'fifo',
};
/** How often to look for ended children without being told: select() may miss a SIGCHLD that comes just before it. */
const REAP_INTERVAL_MS = 500;

export function createQuickJsSystem(): System {
  const children = new Map<number, (code: number) => void>();
  let reapTimer: unknown = null;
  const noFollow = os.stat('/lib64/ld-linux-x86-64.so.2')[1] === 0 ? O_NOFOLLOW.amd64 : O_NOFOLLOW.arm64;

  function reap(): void {
    for (const [pid, ended] of [...children]) {
      const [result, status] = os.waitpid(pid, WNOHANG);
      if (result === 0) continue;
      children.delete(pid);
      ended(result < 0 ? 255 : exitCode(status));
    }
    if (children.size === 0 && reapTimer !== null) {
      os.clearTimeout(reapTimer);
      reapTimer = null;
    }
  }
  function reapLater(): void {
    reapTimer = os.setTimeout(() => {
      reapTimer = null;
      reap();
      if (children.size > 0 && reapTimer === null) reapLater();
    }, REAP_INTERVAL_MS);
  }
  os.signal(SIGCHLD, reap);

  function readBytes(path: string): Uint8Array | undefined {
    const fd = os.open(path, 0);
    if (fd < 0) return undefined;
    const chunks: Uint8Array[] = [];
    let count: number;
    do {
      const chunk = new Uint8Array(16384);
      count = os.read(fd, chunk.buffer, 0, chunk.length);
      if (count > 0) chunks.push(chunk.subarray(0, count));
    } while (count > 0);
    os.close(fd);
    return count < 0 ? undefined : concatenate(chunks);
  }

  function writeAll(fd: number, bytes: Uint8Array): boolean {
    let offset = 0;
    while (offset < bytes.length) {
      const count = os.write(fd, bytes.buffer, bytes.byteOffset + offset, bytes.length - offset);
      if (count <= 0) return false;
      offset += count;
    }
    return true;
  }

  function makeDirectory(path: string, mode = 0o755): boolean {
    if (os.mkdir(path, mode) === 0 || os.stat(path)[0] !== null) return true;
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (parent === '' || !makeDirectory(parent)) return false;
    return os.mkdir(path, mode) === 0;
  }

  return {
    uptimeMs: () => os.now(),
    wallClockMs: () => Date.now(),
    pid: os.getpid(),

    readText: (path) => {
      const bytes = readBytes(path);
      return bytes === undefined ? undefined : decodeUtf8(bytes);
    },
    writeText: (path, text, mode = 0o644) => {
      const temporary = `${path}.new`;
      os.remove(temporary);
      const fd = os.open(temporary, O_WRONLY | O_CREAT | O_EXCL, mode);
      if (fd < 0) throw new Error(`cannot write ${path}: ${std.strerror(-fd)}`);
      const written = writeAll(fd, encodeUtf8(text));
      os.close(fd);
      if (!written || os.rename(temporary, path) !== 0) {
        os.remove(temporary);
        throw new Error(`cannot write ${path}`);
      }
    },
    status: (path) => fileStatus(os.stat(path)),
    linkStatus: (path) => fileStatus(os.lstat(path)),
    readLink: (path) => {
      const [target, error] = os.readlink(path);
      return error === 0 ? target : undefined;
    },
    list: (path) => os.readdir(path)[0].filter((name) => name !== '.' && name !== '..'),
    makeDirectory,
    makeLink: (target, path) => os.symlink(target, path) === 0,
    remove: (path) => os.remove(path) === 0,
    rename: (from, to) => os.rename(from, to) === 0,

    open: (path, options) => os.open(path, openFlags(options, noFollow), options.create?.mode ?? 0),
    close: (fd) => {
      os.setReadHandler(fd, null);
      os.setWriteHandler(fd, null);
      os.close(fd);
    },
    descriptorStatus: (fd) => fileStatus(os.stat(`/proc/self/fd/${fd}`)),
    read: (fd, maxBytes) => {
      const buffer = new Uint8Array(maxBytes);
      const count = os.read(fd, buffer.buffer, 0, maxBytes);
      if (count >= 0) return buffer.subarray(0, count);
      return count === -EAGAIN ? 'again' : 'failed';
    },
    write: (fd, bytes) => {
      const count = os.write(fd, bytes.buffer, bytes.byteOffset, bytes.length);
      if (count >= 0) return count;
      return count === -EAGAIN ? 'again' : 'failed';
    },
    readAt: (fd, offset, maxBytes) => {
      if (os.seek(fd, offset, std.SEEK_SET) < 0) return 'failed';
      const bytes = new Uint8Array(maxBytes);
      let length = 0;
      for (let count = 1; count > 0 && length < maxBytes; length += Math.max(count, 0)) {
        count = os.read(fd, bytes.buffer, length, maxBytes - length);
        if (count < 0) return 'failed';
      }
      return bytes.subarray(0, length);
    },
    writeAt: (fd, offset, bytes) => os.seek(fd, offset, std.SEEK_SET) >= 0 && writeAll(fd, bytes),
    onReadable: (fd, handler) => os.setReadHandler(fd, handler ?? null),
    onWritable: (fd, handler) => os.setWriteHandler(fd, handler ?? null),
    pipe: () => {
      const ends = os.pipe();
      if (ends === null) throw new Error('no more descriptors');
      return { read: ends[0], write: ends[1] };
    },

    spawn: (argv, options = {}) => spawn(argv, options, children, () => reapTimer === null && reapLater()),
    kill: (pid, signal) => os.kill(pid, signal) === 0,
    onSignal: (name, handler) => os.signal(SIGNALS[name], handler),
    after: (delayMs, callback) => {
      const handle = os.setTimeout(callback, Math.max(0, Math.ceil(delayMs)));
      return () => os.clearTimeout(handle);
    },

    encode: encodeUtf8,
    decode: decodeUtf8,
    randomBytes: (count) => {
      const fd = os.open('/dev/urandom', 0);
      const bytes = new Uint8Array(count);
      const got = fd < 0 ? -1 : os.read(fd, bytes.buffer, 0, count);
      if (fd >= 0) os.close(fd);
      if (got !== count) throw new Error('cannot read /dev/urandom');
      return bytes;
    },

    log: (line) => void writeAll(2, encodeUtf8(`${line}\n`)),

    arguments: (globalThis as unknown as { scriptArgs: string[] }).scriptArgs.slice(1),
    environment: (name) => std.getenv(name),
    isTerminal: (fd) => os.isatty(fd),
    exit: (code) => std.exit(code),
  };
}

function spawn(
  argv: readonly string[],
  options: SpawnOptions,
  children: Map<number, (code: number) => void>,
  watch: () => void,
): number {
  const silent = os.open('/dev/null', O_RDWR);
  try {
    const pid = os.exec(argv, {
      block: false,
      stdin: options.stdin ?? silent,
      stdout: options.stdout ?? silent,
      stderr: options.stderr ?? silent,
      ...(options.environment === undefined ? {} : { env: options.environment }),
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
    });
    children.set(pid, options.onExit ?? (() => undefined));
    watch();
    return pid;
  } catch {
    return -1;
  } finally {
    os.close(silent);
  }
}

/** QuickJS gives wait()'s status word. */
function exitCode(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

function openFlags(options: OpenOptions, noFollow: number): number {
  let flags = options.access === 'read' ? 0 : options.access === 'write' ? O_WRONLY : O_RDWR;
  flags |= O_NOCTTY;
  if (options.nonBlocking === true) flags |= O_NONBLOCK;
  if (options.noFollow === true) flags |= noFollow;
  if (options.append === true) flags |= O_APPEND;
  if (options.synchronous === true) flags |= O_SYNC;
  if (options.create !== undefined) {
    flags |= O_CREAT | (options.create.exclusive === true ? O_EXCL : options.append === true ? 0 : O_TRUNC);
  }
  return flags;
}

function fileStatus([stat, error]: [QuickJsStat | null, number]): FileStatus | undefined {
  if (error !== 0 || stat === null) return undefined;
  return {
    kind: KINDS[stat.mode & 0o170000] ?? 'file',
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    sizeBytes: stat.size,
    links: stat.nlink,
    inode: stat.ino,
    deviceMajor: (stat.rdev >>> 8) & 0xfff,
    modifiedMs: stat.mtime,
  };
}
