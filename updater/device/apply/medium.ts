/** The devices (or files) that are read and written, by offset. */
import { SlipwayError } from '../../../spec/error.ts';
import { runProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';

export interface Medium {
  readonly path: string;
  /** A block device: programs may go past the page cache. A regular file stands for one in tests only, and not every file system can. */
  readonly direct: boolean;
  /** Exactly so many bytes; `undefined` where they cannot be read. */
  readonly read: (offset: number, count: number) => Uint8Array | undefined;
  /** Throws `update.write`. */
  readonly write: (offset: number, bytes: Uint8Array) => void;
  /** What was written is on the medium when it resolves. Throws `update.write`. */
  readonly sync: () => Promise<void>;
  /** Syncs, and what is read afterwards comes from the medium. */
  readonly flush: () => Promise<void>;
  readonly close: () => void;
}

/** Written since the last sync: more would fill the memory that the updater may use with what waits for the disk. */
const UNSYNCED_BYTES = 8 * 1024 * 1024;

/** Throws `update.open`. */
export function openMedium(system: System, path: string, access: 'read' | 'read-write'): Medium {
  const file = system.open(path, { access });
  if (file < 0) throw new SlipwayError('update.open', `cannot open ${path}`);
  let open = true;
  const direct = system.status(path)?.kind === 'block';
  const sync = (): Promise<void> => program(system, ['sync', '-d', path], path);
  return {
    path,
    direct,
    read: (offset, count) => {
      const bytes = system.readAt(file, offset, count);
      return bytes !== 'failed' && bytes.length === count ? bytes : undefined;
    },
    write: (offset, bytes) => {
      if (!system.writeAt(file, offset, bytes))
        throw new SlipwayError('update.write', `cannot write ${bytes.length} bytes at ${offset} of ${path}`);
    },
    sync,
    flush: async () => {
      await sync();
      // A regular file has no such thing.
      if (direct) await program(system, ['blockdev', '--flushbufs', path], path);
    },
    close: () => {
      if (open) system.close(file);
      open = false;
    },
  };
}

async function program(system: System, argv: readonly string[], path: string): Promise<void> {
  const { code } = await runProgram(system, argv);
  if (code !== 0) throw new SlipwayError('update.write', `what was written to ${path} did not reach it`);
}

/** To be told of each write, in their order: syncs each time that enough was written, and tells up to where. */
export function syncNowAndThen(
  medium: Medium,
  synced: (end: number) => void,
): (end: number, count: number) => Promise<void> {
  let unsynced = 0;
  return async (end, count) => {
    unsynced += count;
    if (unsynced < UNSYNCED_BYTES) return;
    unsynced = 0;
    await medium.sync();
    synced(end);
  };
}
