/**
 * The other end of `slip logs`, on the host, started by slipd: reads what svlogd wrote, from the oldest file to `current`, and follows
 * through rotations without losing a line. Works on bytes: the runtime is slow with text.
 */
import { concatenate } from '../../../system/bytes.ts';
import type { Command } from '../command.ts';
import type { System } from '../../../system/system.ts';

const CHUNK_BYTES = 65536;
const POLL_MS = 200;
/** `2026-01-31_12:00:00.00000` */
const STAMP_LENGTH = 25;
const NEWLINE = 10;

export const readLogsCommand: Command = {
  name: 'read-logs',
  synopsis: 'DIRECTORY follow|once SINCE|- LINES|- text|json',
  summary: 'used by slipd',
  flags: [],
  json: false,
  words: [5, 5],
  run: (system, { words }) => {
    const [directory = '', mode, since, tail, format] = words;
    const write = format === 'json' ? jsonWriter(system) : (bytes: Uint8Array) => writeAll(system, bytes);
    let held = since === '-' ? concatenate([]) : undefined;
    const put = (bytes: Uint8Array): void => {
      if (held !== undefined) return write(bytes);
      const from = firstSince(system, bytes, since!);
      if (from === undefined) return;
      held = concatenate([]);
      write(bytes.subarray(from));
    };
    const last = tail === '-' ? undefined : Number(tail);
    const collected: Uint8Array[] = [];
    const before = last === undefined ? put : (bytes: Uint8Array) => void collected.push(bytes);

    const rotated = system.list(directory).filter((name) => /^@[0-9a-f]+\.[su]$/.test(name));
    for (const name of rotated.sort())
      drain(system, system.open(`${directory}/${name}`, { access: 'read' }), before, 'close');
    const path = `${directory}/current`;
    let fd = system.open(path, { access: 'read' });
    drain(system, fd, before, 'keep');
    if (last !== undefined) put(lastLines(concatenate(collected), last));
    if (mode !== 'follow') return system.exit(0);

    const follow = (): void => {
      if (fd >= 0) drain(system, fd, put, 'keep');
      const opened = fd < 0 ? undefined : system.descriptorStatus(fd)?.inode;
      const named = system.status(path)?.inode;
      if (named !== undefined && named !== opened) {
        // Rotated: what came into the old file since is read first.
        if (fd >= 0) drain(system, fd, put, 'close');
        fd = system.open(path, { access: 'read' });
        drain(system, fd, put, 'keep');
      }
      system.after(POLL_MS, follow);
    };
    follow();
  },
};

/** The last so many lines of some text. */
export function lastLines(bytes: Uint8Array, count: number): Uint8Array {
  if (count === 0) return bytes.subarray(bytes.length);
  let end = bytes.length - 1;
  for (let seen = 0; seen < count; seen++) {
    const newline = bytes.lastIndexOf(NEWLINE, end - 1);
    if (newline < 0 || end <= 0) return bytes;
    end = newline;
  }
  return bytes.subarray(end + 1);
}

/** Where the first line begins that is not older than the stamp. */
function firstSince(system: System, bytes: Uint8Array, since: string): number | undefined {
  let start = 0;
  while (start < bytes.length) {
    const stamp = system.decode(bytes.subarray(start, start + STAMP_LENGTH));
    if (/^\d{4}-/.test(stamp) && stamp >= since.slice(0, STAMP_LENGTH)) return start;
    const newline = bytes.indexOf(NEWLINE, start);
    if (newline < 0) return undefined;
    start = newline + 1;
  }
  return undefined;
}

/** Whole lines only, so that each is judged once; the rest waits in the file. */
function drain(system: System, fd: number, put: (bytes: Uint8Array) => void, after: 'keep' | 'close'): void {
  if (fd < 0) return;
  for (;;) {
    const bytes = system.read(fd, CHUNK_BYTES);
    if (bytes === 'again' || bytes === 'failed' || bytes.length === 0) break;
    put(bytes);
  }
  if (after === 'close') system.close(fd);
}

function jsonWriter(system: System): (bytes: Uint8Array) => void {
  let rest = '';
  return (bytes) => {
    const lines = (rest + system.decode(bytes)).split('\n');
    rest = lines.pop() ?? '';
    const text = lines.map((line) => {
      const match = /^(\d{4}-\d\d-\d\d)_(\d\d:\d\d:\d\d\.\d+) (.*)$/.exec(line);
      return match === null
        ? JSON.stringify({ time: null, message: line })
        : JSON.stringify({ time: `${match[1]}T${match[2]}Z`, message: match[3] });
    });
    if (text.length > 0) writeAll(system, system.encode(`${text.join('\n')}\n`));
  };
}

function writeAll(system: System, bytes: Uint8Array): void {
  let rest = bytes;
  while (rest.length > 0) {
    const written = system.write(1, rest);
    // Nobody listens any more.
    if (written === 'failed') return system.exit(0);
    if (written !== 'again') rest = rest.subarray(written);
  }
}
