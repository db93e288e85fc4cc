/** One file from one address, verified while it streams; what a broken connection left is continued. */
import { createHash, type Hash } from 'node:crypto';
import { open, rm, type FileHandle } from 'node:fs/promises';
import { openAddress } from './address.ts';
import { downloadByApt, fetchedByApt } from './apt-download.ts';
import { changed, DownloadError, faultOf } from './download-fault.ts';
import type { Expected } from './expected.ts';

const ATTEMPTS = 4;
const PAUSE_MS = 100;

/**
 * Fetches into a new file at `path`, which is removed where it fails. `count` hears of bytes as they arrive, and of negative ones when some
 * have to be fetched again. Throws DownloadError, or the file system's error.
 */
export async function download(
  address: string,
  path: string,
  expected: Expected,
  count: (bytes: number) => void,
): Promise<void> {
  try {
    if (await fetchedByApt(address)) await downloadByApt(address, path, expected, count);
    else await downloadByNode(address, path, expected, count);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

async function downloadByNode(
  address: string,
  path: string,
  expected: Expected,
  count: (bytes: number) => void,
): Promise<void> {
  const handle = await open(path, 'wx');
  const state: Received = { handle, hash: createHash('sha256'), sizeBytes: 0 };
  try {
    for (let attempt = 1; state.sizeBytes < expected.sizeBytes; attempt++) {
      try {
        await receive(address, state, expected, count);
      } catch (error) {
        const fault = faultOf(error);
        if (fault.kind !== 'unreachable' || attempt === ATTEMPTS) throw new DownloadError(fault, error);
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS * 2 ** attempt));
      }
    }
    const digest = state.hash.digest('hex');
    if (digest !== expected.sha256)
      throw changed(`its SHA-256 is ${digest}, the lock says ${expected.sha256}`);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

interface Received {
  readonly handle: FileHandle;
  hash: Hash;
  sizeBytes: number;
}

/** Appends what is missing. A server that ignores the range sends all of it again. */
async function receive(
  address: string,
  state: Received,
  expected: Expected,
  count: (bytes: number) => void,
): Promise<void> {
  const body = await openAddress(address, state.sizeBytes);
  if (body.sizeBytes !== undefined && body.from + body.sizeBytes !== expected.sizeBytes) {
    body.abandon();
    throw changed(`it has ${body.from + body.sizeBytes} bytes, the lock says ${expected.sizeBytes}`);
  }
  if (body.from !== state.sizeBytes) {
    count(-state.sizeBytes);
    state.hash = createHash('sha256');
    state.sizeBytes = 0;
    await state.handle.truncate(0);
  }
  for await (const bytes of body.stream) {
    if (state.sizeBytes + bytes.length > expected.sizeBytes) {
      throw changed(`it is larger than the ${expected.sizeBytes} bytes that the lock says`);
    }
    await writeAll(state.handle, bytes, state.sizeBytes);
    state.hash.update(bytes);
    state.sizeBytes += bytes.length;
    count(bytes.length);
  }
  if (state.sizeBytes < expected.sizeBytes) {
    throw new DownloadError({ kind: 'unreachable', detail: 'the connection ended early' });
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
