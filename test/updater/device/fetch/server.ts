/** A real HTTP server of a repository's files that misbehaves on demand. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Behaviour =
  /** Ranges, as it should be. */
  | { readonly kind: 'right' }
  /** Knows no ranges: 200 and everything. */
  | { readonly kind: 'no-ranges' }
  /** The connection dies after so many bytes of the body. */
  | { readonly kind: 'drop'; readonly afterBytes: number }
  /** Says that it is complete, but ends after so many bytes. */
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Sends nothing more after so many bytes, and keeps the connection. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** A byte now and then. */
  | { readonly kind: 'slow-loris' }
  /** Never says a word. */
  | { readonly kind: 'silent' }
  /** Data without end, without a length. */
  | { readonly kind: 'endless' }
  /** A head without end. */
  | { readonly kind: 'endless-head' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'redirect'; readonly to: string }
  /** A range as a part of a multipart answer. */
  | { readonly kind: 'multipart' }
  /** 206 from another byte than asked. */
  | { readonly kind: 'elsewhere' }
  /** Other bytes than the file has. */
  | { readonly kind: 'lie' };

export interface TestServer {
  readonly url: string;
  /** `GET /name bytes=0-99` of each request. */
  readonly requests: string[];
  readonly bytesSent: () => number;
  readonly close: () => Promise<void>;
}

const RIGHT: Behaviour = { kind: 'right' };

/** `behave` is asked for each request, with its number from 0 on. */
export async function serveFiles(
  files: Readonly<Record<string, Uint8Array>>,
  behave: (request: number, path: string) => Behaviour = () => RIGHT,
): Promise<TestServer> {
  const requests: string[] = [];
  let sent = 0;
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').replace(/^http:\/\/[^/]+/, '').slice(1);
    const number = requests.length;
    requests.push(`${request.method ?? ''} /${path} ${request.headers.range ?? '-'}`);
    const write = response.write.bind(response) as (...all: unknown[]) => boolean;
    response.write = ((...all: [Uint8Array, ...unknown[]]) => {
      sent += all[0].length;
      return write(...all);
    }) as typeof response.write;
    answer(request, response, files[path], behave(number, path));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    bytesSent: () => sent,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  file: Uint8Array | undefined,
  behaviour: Behaviour,
): void {
  // Errors of a connection that the client gave up are what is tested.
  response.on('error', () => undefined);
  // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the others depend on the file
  switch (behaviour.kind) {
    case 'silent':
      return;
    case 'status':
      return void response.writeHead(behaviour.status).end('no\n');
    case 'redirect':
      return void response.writeHead(302, { location: behaviour.to }).end('moved\n');
    case 'endless':
      response.writeHead(request.headers.range === undefined ? 200 : 206);
      return flood(response);
    case 'endless-head':
      response.socket?.write('HTTP/1.1 200 OK\r\n');
      return floodHead(response);
    default:
  }
  if (file === undefined) return void response.writeHead(404).end('no\n');
  const range = behaviour.kind === 'no-ranges' ? undefined : rangeOf(request, file.length);
  const body = Buffer.from(range === undefined ? file : file.subarray(range.first, range.last + 1));
  if (behaviour.kind === 'lie') body.fill(0x55, 0, Math.min(body.length, 100));
  if (behaviour.kind === 'multipart' && range !== undefined) {
    response.writeHead(206, { 'content-type': 'multipart/byteranges; boundary=x' });
    return void response.end(Buffer.concat([Buffer.from('--x\r\n\r\n'), body, Buffer.from('\r\n--x--\r\n')]));
  }
  const first = (range?.first ?? 0) + (behaviour.kind === 'elsewhere' ? 1 : 0);
  response.writeHead(range === undefined ? 200 : 206, {
    ...(behaviour.kind === 'truncate' ? {} : { 'content-length': body.length }),
    ...(range === undefined ? {} : { 'content-range': `bytes ${first}-${range.last}/${file.length}` }),
  });
  // eslint-disable-next-line @typescript-eslint/switch-exhaustiveness-check -- the others are done
  switch (behaviour.kind) {
    case 'drop':
      response.write(body.subarray(0, behaviour.afterBytes), () => response.socket?.destroy());
      return;
    case 'truncate':
      response.write(body.subarray(0, behaviour.afterBytes));
      return void response.end();
    case 'stall':
      return void response.write(body.subarray(0, behaviour.afterBytes));
    case 'slow-loris':
      return drip(response, body);
    default:
      response.write(body);
      response.end();
  }
}

function rangeOf(request: IncomingMessage, size: number): { first: number; last: number } | undefined {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
  if (match === null) return undefined;
  return { first: Number(match[1]), last: Math.min(size - 1, match[2] === '' ? size - 1 : Number(match[2])) };
}

function flood(response: ServerResponse): void {
  const chunk = Buffer.alloc(65_536, 0x41);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

function floodHead(response: ServerResponse): void {
  const more = (): void => {
    const socket = response.socket;
    if (socket === null || socket.destroyed) return;
    socket.write(`x-more: ${'x'.repeat(4096)}\r\n`, () => setImmediate(more));
  };
  more();
}

function drip(response: ServerResponse, body: Buffer): void {
  let next = 0;
  const timer = setInterval(() => {
    if (response.destroyed || next >= body.length) return clearInterval(timer);
    response.write(body.subarray(next, next + 1));
    next += 1;
  }, 50);
}
