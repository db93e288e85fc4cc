/** The state partition's file system as an image ships it: a small real ext4, which the machine only grows. */
import { open, rm } from 'node:fs/promises';
import { BLOCK_BYTES } from '../../spec/layout.ts';
import { publish, temporaryName } from '../cache/directory.ts';
import { derivedUuid } from '../gpt/guid.ts';
import { run } from '../process/run.ts';
import type { Toolbox } from '../tools/toolbox.ts';

export interface StateOptions {
  readonly toolbox: Toolbox;
  readonly sizeBytes: number;
  /** What its UUID and its directory hash seed are derived from. */
  readonly identity: string;
  /** Seconds since 1970. */
  readonly epoch: number;
}

export const STATE_LABEL = 'slipway-state';

/** All named, since mke2fs's own defaults come from a file of the build machine. */
const FEATURES = [
  'none',
  'has_journal',
  'ext_attr',
  'resize_inode',
  'dir_index',
  'filetype',
  'extent',
  '64bit',
  'flex_bg',
  'sparse_super',
  'large_file',
  'huge_file',
  'dir_nlink',
  'extra_isize',
  'metadata_csum',
  // The machine may give it a UUID of its own without rewriting every checksum.
  'metadata_csum_seed',
];
/** Room for group descriptors up to this size (1 MiB of them); beyond it the kernel goes over to meta_bg by itself. */
const GROWS_TO_BYTES = 2 * 1024 ** 4;
const JOURNAL_MIB = 16;
/** One inode for each 8 KiB of the first 64 MiB is one for each 16 KiB of a grown file system: the number per group stays. */
const BYTES_PER_INODE = 8192;
/** As the kernel grows the file system it rounds the share down to whole percents: of 2, which are 1.99 in whole blocks, 1 is left. */
const RESERVED_PERCENT = 2;

/** Sparse; the same options give the same bytes. */
export async function makeState(output: string, options: StateOptions): Promise<void> {
  const temporary = temporaryName(output);
  try {
    const file = await open(temporary, 'wx', 0o644);
    await file.truncate(options.sizeBytes);
    await file.close();
    await run(
      [
        ...options.toolbox.command('mke2fs'),
        ...['-q', '-F', '-b', String(BLOCK_BYTES), '-I', '256', '-i', String(BYTES_PER_INODE)],
        ...['-m', String(RESERVED_PERCENT)],
        ...['-L', STATE_LABEL, '-U', derivedUuid('state', options.identity)],
        ...['-O', FEATURES.join(','), '-J', `size=${JOURNAL_MIB}`, '-E'],
        [
          `hash_seed=${derivedUuid('state hash seed', options.identity)}`,
          // Done now, not by the kernel in the machine's first minutes.
          'lazy_itable_init=0',
          // The journal's blocks are zeros already: the file is a hole there.
          'lazy_journal_init=1',
          'root_owner=0:0',
          'nodiscard',
          `resize=${GROWS_TO_BYTES / BLOCK_BYTES}`,
        ].join(','),
        temporary,
      ],
      { environment: { SOURCE_DATE_EPOCH: String(options.epoch), MKE2FS_CONFIG: '/dev/null' } },
    );
    await publish(temporary, output);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
