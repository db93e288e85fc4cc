/** The root file system: EROFS, read-only, uncompressed. */
import { rm } from 'node:fs/promises';
import { BLOCK_BYTES } from '../../spec/layout.ts';
import { publish, temporaryName } from '../cache/directory.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';

export interface ErofsOptions {
  readonly toolbox: Toolbox;
  readonly uuid: string;
  /** Seconds since 1970: the time of every inode and of the file system. */
  readonly epoch: number;
}

/**
 * An EROFS image of a tar's contents, with its modes, ids and hard links, and without extended attributes. Uncompressed: compression costs
 * the deltas 2.4 (LZ4) to 9.5 times (zstd) their size. The order of the tar's entries does not matter, files lie by path.
 */
export async function makeErofs(tarPath: string, output: string, options: ErofsOptions): Promise<void> {
  const temporary = temporaryName(output);
  try {
    await run(
      [
        ...options.toolbox.command('mkfs.erofs'),
        '--quiet',
        `-b${BLOCK_BYTES}`,
        '-x-1',
        `-T${options.epoch}`,
        '--all-time',
        // One time for all, kept in the superblock: inodes of 32 bytes instead of 64.
        '--ignore-mtime',
        `-U${options.uuid}`,
        '--tar=f',
        temporary,
        tarPath,
      ],
      { environment: { SOURCE_DATE_EPOCH: String(options.epoch) } },
    );
    await publish(temporary, output);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
