/** A web server for a repository's directory, for tests and laboratories: ranges, and faults on request. */
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SlipwayError } from '../../../spec/error.ts';
import { faulty, type Faults } from './faults.ts';
import { parseRange } from './range.ts';

export interface ServeOptions {
  /** 0, the default, takes a free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly bind?: string;
  /** Asked anew for each request, so that tests change their mind. */
  readonly faults?: (path: string) => Faults | undefined;
  readonly log?: (request: ServedRequest) => void;
}

export interface ServedRequest {
  readonly method: string;
  /** Without a query, decoded; begins with `/`. */
  readonly path: string;
  readonly range: string | undefined;
  readonly status: number;
  /** Of the body, as far as it was sent. */
  readonly sentBytes: number;
}

export interface Server {
  /** `http://127.0.0.1:8000` */
  readonly address: string;
  readonly port: number;
  close(): Promise<void>;
}

/** Serves what does not begin with a dot. Throws `serve.port` when the port is taken. */
export async function serveRepository(directory: string, options: ServeOptions = {}): Promise<Server> {
  const bind = options.bind ?? '127.0.0.1';
  const server = createServer((request, response) => {
    answer(directory, request, response, options).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken =
        cause.code === 'EADDRINUSE' ? 'is in use' : `cannot be used (${cause.code ?? cause.message})`;
      reject(
        new SlipwayError('serve.port', `port ${options.port ?? 0} of ${bind} ${taken}`, {
          cause,
          hint: 'name another one: --port N',
        }),
      );
    });
    server.listen(options.port ?? 0, bind, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = bind.includes(':') ? `[${bind}]` : bind;
  return {
    address: `http://${host}:${port}`,
    port,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  directory: string,
  request: IncomingMessage,
  response: ServerResponse,
  { faults, log }: ServeOptions,
): Promise<void> {
  const path = decodePath(request.url ?? '/');
  const fault = faults?.(path);
  const range = request.headers.range;
  let sentBytes = 0;
  response.once('close', () =>
    log?.({ method: request.method ?? '', path, range, status: response.statusCode, sentBytes }),
  );
  const count = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      sentBytes += chunk.length;
      yield chunk;
    }
  };
  if (fault?.status !== undefined) return end(response, fault.status);
  if (request.method !== 'GET' && request.method !== 'HEAD') return end(response, 405);
  const isPublic = /^\/[^./][^/]*$/.test(path) && !path.includes('\0');
  const file = isPublic ? await open(join(directory, path), 'r').catch(() => undefined) : undefined;
  if (file === undefined) return end(response, 404);
  try {
    const status = await file.stat();
    if (!status.isFile()) return end(response, 404);
    const asked = fault?.ranges === 'ignore' ? { kind: 'whole' as const } : parseRange(range, status.size);
    if (asked.kind === 'unsatisfiable') {
      response.setHeader('Content-Range', `bytes */${status.size}`);
      return end(response, 416);
    }
    const [first, last] = asked.kind === 'part' ? [asked.first, asked.last] : [0, status.size - 1];
    response.writeHead(asked.kind === 'part' ? 206 : 200, {
      'Content-Type': path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
      ...(fault?.endless === true ? {} : { 'Content-Length': last - first + 1 }),
      'Last-Modified': status.mtime.toUTCString(),
      // Only this one changes; a cache that kept it would keep updates back.
      'Cache-Control': path === '/timestamp.json' ? 'no-cache' : 'public, max-age=31536000, immutable',
      ...(fault?.ranges === 'ignore' ? {} : { 'Accept-Ranges': 'bytes' }),
      ...(asked.kind === 'part' ? { 'Content-Range': `bytes ${first}-${last}/${status.size}` } : {}),
    });
    if (request.method === 'HEAD' || status.size === 0) return void response.end();
    const bytes = createReadStream('', { fd: file.fd, autoClose: false, start: first, end: last });
    await pipeline(bytes, faulty(fault, first), count, response);
  } finally {
    await file.close();
  }
}

function end(response: ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

/** Empty for what cannot be decoded. */
function decodePath(url: string): string {
  try {
    return decodeURIComponent(url.split('?')[0] ?? '');
  } catch {
    return '';
  }
}
