/** A part of a file as one stream, from whichever mirror: after a broken connection it goes on with the byte that comes next. */
import { SlipwayError } from '../../../spec/error.ts';
import type { Connection } from './connection.ts';
import type { Mirrors } from './mirrors.ts';

export interface ByteStream {
  /** Some bytes as they come; empty at the end of what was asked for. Throws `fetch.failed` when no mirror gives more. */
  readonly read: (maxBytes: number) => Promise<Uint8Array>;
  /** What came was not what the release says: its mirror is asked last from now on. Throws `fetch.untrustworthy` when none is left. */
  readonly distrust: () => void;
  readonly close: () => Promise<void>;
}

/** Fewer bytes than this since the last fault are no progress: else a server that gives one byte for each connection keeps us for ever. */
const PROGRESS_BYTES = 16_384;

/** Bytes `offset` to `endBytes`. */
export function openStream(mirrors: Mirrors, name: string, offset: number, endBytes: number): ByteStream {
  let next = offset;
  let open: { readonly connection: Connection; readonly mirror: number } | undefined;
  let lastMirror: number | undefined;
  let sinceFault = 0;
  let attempts = mirrors.attempts();
  const close = async (): Promise<void> => {
    const closing = open;
    open = undefined;
    await closing?.connection.close();
  };
  const failed = async (mirror: number, fault: unknown): Promise<void> => {
    await close();
    // A fault of ours (a full disk, a bug) is not the mirror's.
    if (!(fault instanceof SlipwayError)) throw fault;
    if (sinceFault >= PROGRESS_BYTES) attempts = mirrors.attempts();
    sinceFault = 0;
    await attempts.failed(mirror, fault);
  };
  return {
    close,
    distrust: () => {
      if (lastMirror !== undefined) mirrors.distrust(lastMirror);
    },
    read: async (maxBytes) => {
      while (next < endBytes) {
        const mirror: number = open?.mirror ?? attempts.mirror();
        try {
          open ??= { mirror, connection: await mirrors.connect(mirror, name, { offset: next, endBytes }) };
          const bytes = await open.connection.read(Math.min(maxBytes, endBytes - next));
          if (bytes.length === 0)
            throw new SlipwayError('fetch.broken', `the connection ended at byte ${next}`);
          next += bytes.length;
          sinceFault += bytes.length;
          lastMirror = mirror;
          mirrors.works(mirror);
          if (next === endBytes) await close();
          await mirrors.paced(bytes.length);
          return bytes;
        } catch (fault) {
          await failed(mirror, fault);
        }
      }
      return new Uint8Array(0);
    },
  };
}
