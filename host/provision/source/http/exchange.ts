/**
 * One request, one answer, by a program of the image: curl where it has one, else busybox's `nc`, over which we speak HTTP ourselves. busybox's wget is not
 * used: it can neither PUT, which EC2's tokens need, nor show the status of what it fetched, nor judge a certificate.
 */
import { SlipwayError } from '../../../../spec/error.ts';
import type { System } from '../../../../system/system.ts';
import { readAnswer, type HttpAnswer } from './answer.ts';
import { parseUrl, type Address } from './url.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface ExchangeLimits {
  readonly bodyBytes: number;
  /** Until the last byte. */
  readonly timeoutMs: number;
  /** Until there is a connection. */
  readonly connectMs: number;
}

/** argv prefixes, instead of the image's `curl`, else `nc`. */
export type HttpProgram =
  | { readonly kind: 'curl'; readonly argv: readonly string[] }
  | { readonly kind: 'nc'; readonly argv: readonly string[] };

const CURL = '/usr/bin/curl';
const SIGKILL = 9;
const READ_BYTES = 65_536;
/** curl(1), EXIT CODES. */
const CURL_FAULTS: Readonly<Record<number, string>> = {
  5: 'the proxy has no address',
  6: 'the name has no address',
  7: 'no connection could be made',
  18: 'the answer ended too early',
  28: 'there was no answer in time',
  35: 'TLS failed',
  52: 'the answer was empty',
  56: 'the connection broke',
  58: 'TLS failed',
  60: 'the certificate is not one that this image trusts',
  77: 'this image trusts no certificates',
};
/** Of these another try means nothing. */
const CURL_FINAL = [58, 60, 77];

/**
 * Throws `http.unreachable` (no connection, or it broke), `http.slow`, `http.too-large`, `http.broken` (not HTTP, or not whole), `http.tls`, `http.url`. What the
 * status means is for the caller; redirections are not followed.
 */
export async function exchange(
  system: System,
  request: HttpRequest,
  limits: ExchangeLimits,
  program: HttpProgram = programOf(system),
): Promise<HttpAnswer> {
  const address = parseUrl(request.url);
  if (program.kind === 'nc' && address.scheme === 'https')
    throw new SlipwayError('http.tls', `${request.url} needs curl, and this image has none`, {
      hint: 'add curl and ca-certificates to host.packages of the image, or serve it over http',
    });
  const reader = readAnswer((bytes) => system.decode(bytes), program.kind === 'nc', limits.bodyBytes);
  const argv =
    program.kind === 'curl'
      ? [...program.argv, ...curlArguments(request, limits)]
      : [...program.argv, '-w', seconds(limits.connectMs), address.host, String(address.port)];
  const input = program.kind === 'curl' ? (request.body ?? '') : requestText(request, address);
  const { code, timedOut } = await converse(system, argv, {
    input: system.encode(input),
    // nc would tell the server that nothing more comes, which some take for a client that has gone.
    closeInput: program.kind === 'curl',
    timeoutMs: limits.timeoutMs,
    onBytes: reader.push,
  });
  if (timedOut) throw new SlipwayError('http.slow', `no whole answer in ${limits.timeoutMs / 1000} s`);
  if (program.kind === 'curl' && code !== 0)
    throw new SlipwayError(
      CURL_FINAL.includes(code) ? 'http.tls' : code === 28 ? 'http.slow' : 'http.unreachable',
      CURL_FAULTS[code] ?? `curl ended with ${code}`,
    );
  if (program.kind === 'nc' && code !== 0)
    throw new SlipwayError('http.unreachable', 'no connection could be made');
  return reader.end();
}

function programOf(system: System): HttpProgram {
  if (system.status(CURL) !== undefined) return { kind: 'curl', argv: ['curl'] };
  return { kind: 'nc', argv: ['nc'] };
}

function curlArguments(request: HttpRequest, limits: ExchangeLimits): readonly string[] {
  return [
    // No configuration file, no patterns in addresses, nothing but HTTP, no proxy.
    '--disable',
    '--globoff',
    '--proto',
    '=http,https',
    '--noproxy',
    '*',
    '--silent',
    '--include',
    '--http1.1',
    '--connect-timeout',
    seconds(limits.connectMs),
    '--request',
    request.method,
    ...Object.entries(request.headers ?? {}).flatMap(([name, value]) => ['--header', `${name}: ${value}`]),
    ...(request.method === 'GET' ? [] : ['--header', 'Expect:', '--data-binary', '@-']),
    '--',
    request.url,
  ];
}

function requestText(request: HttpRequest, address: Address): string {
  const body = request.body ?? '';
  const headers = {
    Host: address.authority,
    Connection: 'close',
    Accept: '*/*',
    ...request.headers,
    // All of ours are ASCII.
    ...(request.method === 'GET' ? {} : { 'Content-Length': String(body.length) }),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${request.method} ${address.path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

function seconds(milliseconds: number): string {
  return String(Math.max(1, Math.ceil(milliseconds / 1000)));
}

interface Conversation {
  readonly input: Uint8Array;
  readonly closeInput: boolean;
  readonly timeoutMs: number;
  /** True when nothing more is wanted. */
  readonly onBytes: (bytes: Uint8Array) => boolean;
}

interface Ended {
  /** 0 when we had enough before it ended. */
  readonly code: number;
  readonly timedOut: boolean;
}

async function converse(
  system: System,
  argv: readonly string[],
  { input, closeInput, timeoutMs, onBytes }: Conversation,
): Promise<Ended> {
  const toProgram = system.pipe();
  const fromProgram = system.pipe();
  // Less than a pipe holds, so nobody has to read yet.
  system.write(toProgram.write, input);
  let pid = -1;
  let ended = false;
  const exited = new Promise<number>((resolve) => {
    pid = system.spawn(argv, {
      stdin: toProgram.read,
      stdout: fromProgram.write,
      environment: { PATH: system.environment('PATH') ?? '/usr/bin:/usr/sbin' },
      onExit: (code) => {
        ended = true;
        resolve(code);
      },
    });
    if (pid < 0) {
      ended = true;
      resolve(127);
    }
  });
  system.close(toProgram.read);
  system.close(fromProgram.write);
  if (closeInput) system.close(toProgram.write);
  // The same pipe through another description, so that reading does not wait.
  const source = system.open(`/proc/self/fd/${fromProgram.read}`, { access: 'read', nonBlocking: true });
  system.close(fromProgram.read);
  const kill = (): void => {
    if (pid >= 0 && !ended) system.kill(pid, SIGKILL);
  };
  try {
    const reason = await readUntil(system, source, system.uptimeMs() + timeoutMs, onBytes);
    if (reason !== 'end') kill();
    const code = await exited;
    return { code: reason === 'enough' ? 0 : code, timedOut: reason === 'time' };
  } catch (error) {
    kill();
    await exited;
    throw error;
  } finally {
    if (source >= 0) system.close(source);
    if (!closeInput) system.close(toProgram.write);
  }
}

async function readUntil(
  system: System,
  source: number,
  endMs: number,
  onBytes: (bytes: Uint8Array) => boolean,
): Promise<'end' | 'enough' | 'time'> {
  while (source >= 0) {
    const bytes = system.read(source, READ_BYTES);
    if (bytes === 'again') {
      if (system.uptimeMs() >= endMs) return 'time';
      await readableOr(system, source, endMs);
      continue;
    }
    if (bytes === 'failed' || bytes.length === 0) return 'end';
    if (onBytes(bytes)) return 'enough';
    // Bytes that come one by one, again and again, are as bad as none.
    if (system.uptimeMs() >= endMs) return 'time';
  }
  return 'end';
}

function readableOr(system: System, source: number, endMs: number): Promise<void> {
  return new Promise((resolve) => {
    const wake = (): void => {
      cancel();
      system.onReadable(source, undefined);
      resolve();
    };
    const cancel = system.after(endMs - system.uptimeMs(), wake);
    system.onReadable(source, wake);
  });
}
