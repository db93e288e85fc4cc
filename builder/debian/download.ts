/** One file from one address, verified while it streams; what a broken connection left is continued. */
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rm, stat, type FileHandle } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { SlipwayError } from '../../spec/error.ts';
import { run } from '../process/run.ts';
import { hostAcquireSettings, needsApt, proxyEnvironment } from './transport.ts';

/** Why an address did not give the file. */
export type DownloadFault =
  | { readonly kind: 'absent' }
  | { readonly kind: 'changed'; readonly detail: string }
  | { readonly kind: 'unreachable'; readonly detail: string };

export class DownloadError extends Error {
  readonly fault: DownloadFault;

  constructor(fault: DownloadFault, cause?: unknown) {
    super(fault.kind === 'absent' ? 'it is not there' : fault.detail, { cause });
    this.name = 'DownloadError';
    this.fault = fault;
  }
}

export interface Expected {
  readonly sha256: string;
  readonly sizeBytes: number;
}

const ATTEMPTS = 4;
const PAUSE_MS = 100;
/** A mirror that sends nothing for so long is given up. */
const STALL_MS = 30_000;

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

interface Body {
  /** Offset of the first byte. */
  readonly from: number;
  readonly stream: AsyncIterable<Uint8Array>;
  /** Of the body, where the server tells. */
  readonly sizeBytes: number | undefined;
  readonly abandon: () => void;
}

async function openAddress(address: string, from: number): Promise<Body> {
  if (!/^https?:/.test(address)) {
    const path = address.startsWith('file:')
      ? fileURLToPath(address.replace(/^file:\/*/, 'file:///'))
      : address;
    const { size } = await stat(path);
    return {
      from,
      stream: createReadStream(path, { start: from }),
      sizeBytes: size - from,
      abandon: () => undefined,
    };
  }
  const controller = new AbortController();
  const watch = (): NodeJS.Timeout =>
    setTimeout(
      () => controller.abort(new DownloadError({ kind: 'unreachable', detail: 'the mirror sends nothing' })),
      STALL_MS,
    );
  let timer = watch();
  const headers = { 'accept-encoding': 'identity', ...(from === 0 ? {} : { range: `bytes=${from}-` }) };
  const response = await fetch(encodeAddress(address), { headers, signal: controller.signal }).finally(() =>
    clearTimeout(timer),
  );
  if (response.status === 404 || response.status === 410) throw new DownloadError({ kind: 'absent' });
  if (!response.ok || response.body === null) {
    throw new DownloadError({
      kind: 'unreachable',
      detail: `the mirror answers ${response.status} ${response.statusText}`,
    });
  }
  const body: ReadableStream<Uint8Array> = response.body;
  const stream = async function* (): AsyncGenerator<Uint8Array> {
    timer = watch();
    try {
      for await (const chunk of body) {
        clearTimeout(timer);
        yield chunk;
        timer = watch();
      }
    } finally {
      clearTimeout(timer);
    }
  };
  const length = Number(response.headers.get('content-length') ?? Number.NaN);
  return {
    from: response.status === 206 ? from : 0,
    stream: stream(),
    sizeBytes: Number.isNaN(length) ? undefined : length,
    abandon: () => controller.abort(),
  };
}

/** `+` stands for itself in a path, but some stores read it as a space. */
function encodeAddress(address: string): string {
  return address.replaceAll('+', '%2B');
}

function faultOf(error: unknown): DownloadFault {
  if (error instanceof DownloadError) return error.fault;
  const codes = [error, error instanceof Error ? error.cause : undefined].map(codeOf);
  if (codes.includes('ENOENT') || codes.includes('ENOTDIR')) return { kind: 'absent' };
  // The file system's own faults are not the mirror's.
  if (
    error instanceof Error &&
    'syscall' in error &&
    codes[0] !== undefined &&
    /^(write|ftruncate|fsync)$/.test(String(error.syscall))
  )
    throw error;
  return {
    kind: 'unreachable',
    detail: reasonOf(
      codes.find((code) => code !== undefined),
      error,
    ),
  };
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "the mirror's name is unknown",
  EAI_AGAIN: "the mirror's name cannot be looked up",
  ECONNREFUSED: 'the mirror refuses the connection',
  ECONNRESET: 'the connection was reset',
  ENETUNREACH: 'there is no way to the network',
  EHOSTUNREACH: 'there is no way to the mirror',
  ETIMEDOUT: 'the mirror does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'the mirror does not answer',
  UND_ERR_SOCKET: 'the connection ended early',
};

function reasonOf(code: string | undefined, error: unknown): string {
  const known = code === undefined ? undefined : REASONS[code];
  return known === undefined
    ? error instanceof Error
      ? error.message
      : String(error)
    : `${known} (${code})`;
}

function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function changed(detail: string): DownloadError {
  return new DownloadError({ kind: 'changed', detail });
}

async function fetchedByApt(address: string): Promise<boolean> {
  return needsApt(address, await (acquireSettings ??= hostAcquireSettings().catch(() => [])));
}

/** Read once: the machine's configuration does not change under a build. */
let acquireSettings: Promise<readonly string[]> | undefined;

async function downloadByApt(
  address: string,
  path: string,
  expected: Expected,
  count: (bytes: number) => void,
): Promise<void> {
  const helper = '/usr/lib/apt/apt-helper';
  try {
    await run(
      [helper, '-o', 'APT::Sandbox::User=root', 'download-file', address, path, `SHA256:${expected.sha256}`],
      {
        environment: proxyEnvironment(),
      },
    );
  } catch (error) {
    const text = error instanceof SlipwayError ? error.message : String(error);
    if (/\b404\b|File not found/.test(text)) throw new DownloadError({ kind: 'absent' }, error);
    if (/Hash Sum mismatch|unexpected size/i.test(text)) throw changed("its hash is not the lock's");
    if (/No space left/.test(text))
      throw Object.assign(new Error('no space left'), { code: 'ENOSPC', syscall: 'write' });
    throw new DownloadError(
      { kind: 'unreachable', detail: text.split('\n').find((line) => line.startsWith('E:')) ?? text },
      error,
    );
  }
  const digest = createHash('sha256')
    .update(await readFile(path))
    .digest('hex');
  if (digest !== expected.sha256) throw changed(`its SHA-256 is ${digest}, the lock says ${expected.sha256}`);
  count(expected.sizeBytes);
}
