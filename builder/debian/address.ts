/** An address (http, https, file, or a bare path) as a stream of bytes from some offset on. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DownloadError } from './download-fault.ts';

/** A mirror that sends nothing for so long is given up. */
const STALL_MS = 30_000;

export interface Body {
  /** Offset of the first byte. */
  readonly from: number;
  readonly stream: AsyncIterable<Uint8Array>;
  /** Of the body, where the server tells. */
  readonly sizeBytes: number | undefined;
  readonly abandon: () => void;
}

/** `from`: where to begin; a server may begin at 0 nevertheless. Throws DownloadError, or the file system's or fetch's error. */
export async function openAddress(address: string, from: number): Promise<Body> {
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
