/**
 * Blobs of a batch of operations: fetched into files in memory, all checked against their digests by one `sha256sum`, and only then decompressed, all by
 * one `zstd`. Nothing that the release does not vouch for meets a decompressor.
 */
import { SlipwayError } from '../../../spec/error.ts';
import { startProgram, type RunningProgram } from '../../../system/program.ts';
import type { System } from '../../../system/system.ts';
import { checkFrame } from '../../payload/frame.ts';
import { LIMITS } from '../../payload/limits.ts';
import type { Blob } from '../../payload/operation.ts';
import type { BlobSource } from './blob-source.ts';
import { digestsOfFiles } from './digests.ts';

/** Decompressed contents, one after another. */
export interface Contents {
  /** The next `count` bytes. Throws `payload.frame`. */
  readonly read: (count: number) => Uint8Array;
  /** Throws `payload.frame` unless that was all. */
  readonly end: () => Promise<void>;
}

const FRAME_HEAD_BYTES = 18;
const READ_BYTES = 65_536;
/** Memory of a decompressor: frames are single segments of at most 3 MiB. */
const ZSTD_MEMORY = `--memory=${Math.ceil(LIMITS.patchBytes / (1024 * 1024)) + 1}MiB`;

/** `false` when what came is not what the release says. */
export async function fetchBlobs(
  system: System,
  scratch: string,
  source: BlobSource,
  blobs: readonly Blob[],
): Promise<boolean> {
  for (const [index, blob] of blobs.entries())
    await store(system, `${scratch}/${nameOf(index)}`, source, blob);
  const digests = await digestsOfFiles(
    system,
    scratch,
    blobs.map((_, index) => nameOf(index)),
  );
  return blobs.every((blob, index) => digests[index] === blob.sha256);
}

async function store(system: System, path: string, source: BlobSource, blob: Blob): Promise<void> {
  const file = system.open(path, { access: 'write', create: { mode: 0o600 } });
  if (file < 0) throw new SlipwayError('update.scratch', `cannot write ${path}`);
  let done = 0;
  try {
    await source.read(blob, (bytes) => {
      if (!system.writeAt(file, done, bytes))
        throw new SlipwayError('update.scratch', `cannot write ${path}`);
      done += bytes.length;
    });
  } finally {
    system.close(file);
  }
}

/** Of the blobs that `fetchBlobs` found right. */
export function openContents(system: System, scratch: string, blobs: readonly Blob[]): Contents {
  for (const [index, blob] of blobs.entries()) checkHead(system, `${scratch}/${nameOf(index)}`, blob);
  if (blobs.length === 0) return { read: fail, end: () => Promise.resolve() };
  const program = startProgram(system, [
    'zstd',
    '-dcq',
    ZSTD_MEMORY,
    ...blobs.map((_, index) => `${scratch}/${nameOf(index)}`),
  ]);
  return {
    read: (count) => readFrom(program, count),
    end: async () => {
      const more = program.read(1).length;
      if (more > 0) await program.end();
      if (more > 0 || (await program.exited) !== 0) fail();
    },
  };
}

export function removeBlobs(system: System, scratch: string, count: number): void {
  for (let index = 0; index < count; index += 1) system.remove(`${scratch}/${nameOf(index)}`);
}

function checkHead(system: System, path: string, blob: Blob): void {
  const file = system.open(path, { access: 'read' });
  const head = file < 0 ? 'failed' : system.readAt(file, 0, Math.min(FRAME_HEAD_BYTES, blob.storedBytes));
  if (file >= 0) system.close(file);
  if (head === 'failed') throw new SlipwayError('update.scratch', `cannot read ${path}`);
  checkFrame(head, blob.contentBytes);
}

function readFrom(program: RunningProgram, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let done = 0; done < count;) {
    const chunk = program.read(Math.min(READ_BYTES, count - done));
    if (chunk.length === 0) return fail();
    bytes.set(chunk, done);
    done += chunk.length;
  }
  return bytes;
}

function fail(): never {
  throw new SlipwayError('payload.frame', 'a blob of a payload cannot be decompressed');
}

function nameOf(index: number): string {
  return `blob${index}`;
}
