/** gzip (RFC 1952) whose bytes depend on the content alone: no time, no name, and the same deflate everywhere. */
import { Gzip } from 'fflate';

const PIECE_BYTES = 1024 * 1024;

export interface GzipStream {
  push(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

/**
 * Compresses what is pushed and hands it on. Deflate is fflate's, which is JavaScript: Node's own zlib gives other bytes on other processors
 * and in other versions. How the input comes in pieces makes no difference.
 */
export function gzipStream(write: (bytes: Uint8Array) => Promise<void>): GzipStream {
  let waiting: Uint8Array[] = [];
  const gzip = new Gzip({ level: 6, mtime: 0 }, (bytes) => waiting.push(bytes));
  const piece = Buffer.alloc(PIECE_BYTES);
  let filled = 0;
  const flush = async (final: boolean): Promise<void> => {
    // A copy: fflate keeps what it was given.
    gzip.push(Uint8Array.from(piece.subarray(0, filled)), final);
    filled = 0;
    const ready = waiting;
    waiting = [];
    for (const bytes of ready) await write(bytes);
  };
  return {
    push: async (bytes) => {
      for (let done = 0; done < bytes.length;) {
        const part = bytes.subarray(done, done + PIECE_BYTES - filled);
        piece.set(part, filled);
        filled += part.length;
        done += part.length;
        if (filled === PIECE_BYTES) await flush(false);
      }
    },
    end: () => flush(true),
  };
}
