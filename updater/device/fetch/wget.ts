/**
 * Mirrors over HTTP(S), by busybox's wget, which knows less than curl: it takes a 206 answer only when it believes that it goes on with a file
 * (networking/wget.c: `beg_range`), writes that to the file itself, and starts the file anew when the server does not know ranges. So
 *
 * - a whole file comes through a pipe (`-O -`), and so does every range of a server that knows none (what is before it is thrown away);
 * - other ranges come in pieces: it goes on (`-c`) with a file in memory that holds a mark, with a Range header of ours in place of its own. The mark
 *   gone means that the server knows no ranges. The shell's `ulimit -f` bounds the file, whatever a server sends: QuickJS has no setrlimit.
 */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { Connect, Connection } from './connection.ts';
import { skipping, type HttpOptions } from './curl.ts';
import { startIncoming, type Incoming } from './incoming.ts';

const PIECE_BYTES = 1024 * 1024;
const MARK_BYTES = 512;
/** `ulimit -f` counts in these. */
const UNIT_BYTES = 512;

export function wgetConnect(system: System, options: HttpOptions): Connect {
  /** Mirrors that answered a range with everything. */
  const withoutRanges = new Set<string>();
  return async (base, name, range) => {
    const url = `${base}/${name}`;
    if (range.offset === 0 && range.endBytes === undefined) return wholeFile(system, options, url);
    if (range.offset > 0 && range.endBytes !== undefined && !withoutRanges.has(base)) {
      const end = range.endBytes;
      const first = await fetchPiece(system, options, url, pieceOf(range.offset, end));
      if (first !== 'everything') return pieces(system, options, { url, offset: range.offset, end, first });
      withoutRanges.add(base);
    }
    const whole = await wholeFile(system, options, url);
    try {
      return { close: whole.close, read: await skipping(whole.read, range.offset) };
    } catch (error) {
      await whole.close();
      throw error;
    }
  };
}

async function wholeFile(system: System, options: HttpOptions, url: string): Promise<Connection> {
  const { incoming, errorPath } = start(system, options, [...wgetArguments(options), '-O', '-', url]);
  // Its exit code is known only at the end; a missing file ends before the first byte.
  const read = async (maxBytes: number): Promise<Uint8Array> => {
    const bytes = await incoming.read(maxBytes);
    if (bytes.length === 0 && (await incoming.exited) !== 0) throw fault(system, errorPath);
    return bytes;
  };
  try {
    let first: Uint8Array | undefined = await read(65_536);
    return {
      close: incoming.close,
      read: (maxBytes) => {
        if (first === undefined) return read(maxBytes);
        const bytes = first.subarray(0, maxBytes);
        first = bytes.length === first.length ? undefined : first.subarray(bytes.length);
        return Promise.resolve(bytes);
      },
    };
  } catch (error) {
    await incoming.close();
    throw error;
  }
}

interface Pieces {
  readonly url: string;
  readonly offset: number;
  readonly end: number;
  readonly first: Uint8Array;
}

function pieces(system: System, options: HttpOptions, { url, offset, end, first }: Pieces): Connection {
  let next = offset + first.length;
  let piece = first;
  return {
    close: () => Promise.resolve(),
    read: async (maxBytes) => {
      if (piece.length === 0 && next < end) {
        const fetched = await fetchPiece(system, options, url, pieceOf(next, end));
        if (fetched === 'everything')
          throw new SlipwayError('fetch.refused', 'the server knows ranges no more');
        piece = fetched;
        next += piece.length;
      }
      const bytes = piece.subarray(0, maxBytes);
      piece = piece.subarray(bytes.length);
      return bytes;
    },
  };
}

interface Piece {
  readonly offset: number;
  readonly endBytes: number;
}

function pieceOf(offset: number, end: number): Piece {
  return { offset, endBytes: Math.min(end, offset + PIECE_BYTES) };
}

/** What came of the piece, all of it or its beginning. Throws when nothing did. */
async function fetchPiece(
  system: System,
  options: HttpOptions,
  url: string,
  { offset, endBytes }: Piece,
): Promise<Uint8Array | 'everything'> {
  const path = `${options.config.scratch}/wget-piece`;
  const mark = system.randomBytes(MARK_BYTES);
  const file = system.open(path, { access: 'read-write', create: { mode: 0o600 } });
  try {
    if (file < 0 || !system.writeAt(file, 0, mark))
      throw new SlipwayError('fetch.scratch', `${path} cannot be written`);
    const units = Math.ceil((MARK_BYTES + endBytes - offset) / UNIT_BYTES);
    const { incoming, errorPath } = start(system, options, [
      ...['sh', '-c', 'ulimit -f "$1" && shift && exec "$@"', 'sh', String(units)],
      ...wgetArguments(options),
      ...['--header', `Range: bytes=${offset}-${endBytes - 1}`, '-c', '-O', path, url],
    ]);
    const stalled = await waitForEnd(incoming);
    const found = system.readAt(file, 0, MARK_BYTES + endBytes - offset);
    if (found === 'failed') throw new SlipwayError('fetch.scratch', `${path} cannot be read`);
    if (!mark.every((byte, index) => found[index] === byte)) return 'everything';
    const bytes = found.subarray(MARK_BYTES);
    options.onBytes(bytes.length);
    // Its time was up: what came is kept, unless that is next to nothing.
    const enough =
      stalled === undefined ? 1 : options.limits.minimumBytesPerSecond * options.limits.stallSeconds;
    if (bytes.length >= enough) return bytes;
    throw stalled ?? fault(system, errorPath);
  } finally {
    if (file >= 0) system.close(file);
    system.remove(path);
  }
}

/** Nothing is printed: the end of its output is its own end. The fault, when it was too slow. */
async function waitForEnd(incoming: Incoming): Promise<SlipwayError | undefined> {
  try {
    while ((await incoming.read(4096)).length > 0);
    await incoming.exited;
    return undefined;
  } catch (error) {
    await incoming.close();
    if (error instanceof SlipwayError) return error;
    throw error;
  }
}

function wgetArguments({ argv, limits }: HttpOptions): readonly string[] {
  return [...argv, '-q', '-T', String(Math.ceil(Math.min(limits.connectSeconds, limits.stallSeconds)))];
}

function start(
  system: System,
  options: HttpOptions,
  argv: readonly string[],
): { readonly incoming: Incoming; readonly errorPath: string } {
  const { proxy, scratch } = options.config;
  const errorPath = `${scratch}/wget-errors`;
  const incoming = startIncoming(system, argv, {
    environment: {
      PATH: system.environment('PATH') ?? '/usr/bin:/usr/sbin',
      ...(proxy === undefined ? {} : { http_proxy: proxy, https_proxy: proxy }),
    },
    errorPath,
    limits: options.limits,
    onBytes: options.onBytes,
  });
  return { incoming, errorPath };
}

function fault(system: System, errorPath: string): SlipwayError {
  const text = (system.readText(errorPath) ?? '').trim().slice(0, 300);
  const status = /server returned error: \S+ (\d{3})/.exec(text)?.[1];
  if (status === undefined) return new SlipwayError('fetch.broken', text === '' ? 'wget failed' : text);
  const missing = ['403', '404', '410'].includes(status);
  return new SlipwayError(missing ? 'fetch.missing' : 'fetch.refused', `the server answered ${status}`);
}
