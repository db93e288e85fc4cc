/**
 * The door of tests: the same interface on Node, for code that runs on QuickJS on the machine. Reading and writing block, as there; pipes
 * are FIFOs that nobody else can open.
 */
import { execFileSync, spawn as spawnChild, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { isatty } from 'node:tty';
import type { FileStatus, OpenOptions, SpawnOptions, System } from './system.ts';

export interface NodeSystemOptions {
  readonly arguments?: readonly string[];
  readonly wallClockMs?: () => number;
  readonly log?: (line: string) => void;
  readonly environment?: Readonly<Record<string, string>>;
}

export function createNodeSystem(options: NodeSystemOptions = {}): System {
  const children = new Map<number, ChildProcess>();
  const readers = new Map<number, NodeJS.Timeout>();
  return {
    uptimeMs: () => performance.now(),
    wallClockMs: options.wallClockMs ?? Date.now,
    pid: process.pid,

    readText: (path) => attempt(() => fs.readFileSync(path, 'utf8')),
    writeText: (path, text, mode = 0o644) => {
      fs.writeFileSync(`${path}.new`, text, { mode });
      fs.renameSync(`${path}.new`, path);
    },
    status: (path) => attempt(() => fileStatus(fs.statSync(path))),
    linkStatus: (path) => attempt(() => fileStatus(fs.lstatSync(path))),
    readLink: (path) => attempt(() => fs.readlinkSync(path)),
    list: (path) => attempt(() => fs.readdirSync(path)) ?? [],
    makeDirectory: (path, mode = 0o755) =>
      succeeds(() => {
        fs.mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
        if (!fs.existsSync(path)) fs.mkdirSync(path, { mode });
      }),
    makeLink: (target, path) => succeeds(() => fs.symlinkSync(target, path)),
    remove: (path) =>
      succeeds(() => (fs.lstatSync(path).isDirectory() ? fs.rmdirSync(path) : fs.unlinkSync(path))),
    rename: (from, to) => succeeds(() => fs.renameSync(from, to)),

    open: (path, wanted) => {
      try {
        return fs.openSync(path, openFlags(wanted), wanted.create?.mode ?? 0);
      } catch (error) {
        return (error as NodeJS.ErrnoException).errno ?? -1;
      }
    },
    close: (fd) => fs.closeSync(fd),
    descriptorStatus: (fd) => attempt(() => fileStatus(fs.fstatSync(fd))),
    read: (fd, maxBytes) => {
      const bytes = new Uint8Array(maxBytes);
      return blocked(() => bytes.subarray(0, fs.readSync(fd, bytes, 0, maxBytes, null)));
    },
    write: (fd, bytes) => blocked(() => fs.writeSync(fd, bytes)),
    readAt: (fd, offset, maxBytes) => {
      const bytes = new Uint8Array(maxBytes);
      const done = attempt(() => {
        let length = 0;
        for (let count = 1; count > 0 && length < maxBytes; length += count)
          count = fs.readSync(fd, bytes, length, maxBytes - length, offset + length);
        return length;
      });
      return done === undefined ? 'failed' : bytes.subarray(0, done);
    },
    writeAt: (fd, offset, bytes) =>
      succeeds(() => {
        for (let done = 0; done < bytes.length;)
          done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
      }),
    onReadable: (fd, handler) => {
      clearInterval(readers.get(fd));
      readers.delete(fd);
      // Node tells nothing of descriptors: its reader is told to look again and again, and finds `again` mostly.
      if (handler !== undefined) readers.set(fd, setInterval(handler, 1));
    },
    onWritable: () => {
      throw new Error('tests on Node write with blocking calls');
    },
    pipe,

    spawn: (argv, wanted = {}) => spawn(argv, wanted, children),
    kill: (pid, signal) => succeeds(() => process.kill(pid, signal)),
    onSignal: (name, handler) => {
      process.removeAllListeners(name);
      if (handler !== undefined) process.on(name, handler);
    },
    after: (delayMs, callback) => {
      const timer = setTimeout(callback, Math.max(0, delayMs));
      return () => clearTimeout(timer);
    },

    encode: (text) => new TextEncoder().encode(text),
    decode: (bytes) => new TextDecoder().decode(bytes),
    randomBytes: (count) => new Uint8Array(randomBytes(count)),

    log: options.log ?? ((line) => void process.stderr.write(`${line}\n`)),

    arguments: options.arguments ?? process.argv.slice(2),
    environment: (name) => options.environment?.[name] ?? process.env[name],
    isTerminal: (fd) => isatty(fd),
    exit: (code) => process.exit(code),
  };
}

function attempt<Result>(action: () => Result): Result | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

function succeeds(action: () => void): boolean {
  return attempt(() => (action(), true)) ?? false;
}

function blocked<Result>(action: () => Result): Result | 'again' | 'failed' {
  try {
    return action();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 'again' : 'failed';
  }
}

function pipe(): { read: number; write: number } {
  const directory = fs.mkdtempSync(join(tmpdir(), 'slipway-pipe-'));
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', ['-m', '600', path]);
  // Without a writer only a non-blocking open returns; with one, the blocking one does too.
  const first = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK);
  const write = fs.openSync(path, 'w');
  const read = fs.openSync(path, 'r');
  fs.closeSync(first);
  fs.rmSync(directory, { recursive: true });
  return { read, write };
}

function spawn(argv: readonly string[], options: SpawnOptions, children: Map<number, ChildProcess>): number {
  const [program = '', ...rest] = argv;
  const child = spawnChild(program, rest, {
    stdio: [options.stdin ?? 'ignore', options.stdout ?? 'ignore', options.stderr ?? 'ignore'],
    ...(options.environment === undefined ? {} : { env: options.environment }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  // A program that is not there: QuickJS's child ends with 127.
  child.once('error', () => options.onExit?.(127));
  child.once('exit', (code, signal) => {
    if (child.pid !== undefined) children.delete(child.pid);
    options.onExit?.(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
  if (child.pid === undefined) return -1;
  children.set(child.pid, child);
  return child.pid;
}

function openFlags(options: OpenOptions): number {
  const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK, O_NOFOLLOW, O_APPEND, O_SYNC, O_CREAT, O_EXCL, O_TRUNC } =
    fs.constants;
  let flags = options.access === 'read' ? O_RDONLY : options.access === 'write' ? O_WRONLY : O_RDWR;
  if (options.nonBlocking === true) flags |= O_NONBLOCK;
  if (options.noFollow === true) flags |= O_NOFOLLOW;
  if (options.append === true) flags |= O_APPEND;
  if (options.synchronous === true) flags |= O_SYNC;
  if (options.create !== undefined)
    flags |= O_CREAT | (options.create.exclusive === true ? O_EXCL : options.append === true ? 0 : O_TRUNC);
  return flags;
}

function fileStatus(stats: fs.Stats): FileStatus {
  return {
    kind: kindOf(stats),
    mode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
    sizeBytes: stats.size,
    links: stats.nlink,
    inode: stats.ino,
    deviceMajor: (stats.rdev >>> 8) & 0xfff,
    modifiedMs: stats.mtimeMs,
  };
}

function kindOf(stats: fs.Stats): FileStatus['kind'] {
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isFIFO()) return 'fifo';
  if (stats.isCharacterDevice()) return 'character';
  if (stats.isBlockDevice()) return 'block';
  return stats.isSocket() ? 'socket' : 'file';
}
