/** Mirrors over HTTP(S), by curl: it prints the heads of the answers too, so that a server that does not know ranges is noticed. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';
import type { FetchConfig, FetchLimits } from './config.ts';
import type { ByteRange, Connect, Connection } from './connection.ts';
import { readHead, type HttpHead } from './http-head.ts';
import { startIncoming, type Incoming } from './incoming.ts';

export interface HttpOptions {
  readonly argv: readonly string[];
  readonly config: FetchConfig;
  readonly limits: FetchLimits;
  readonly onBytes: (count: number) => void;
}

export function curlConnect(system: System, options: HttpOptions): Connect {
  return async (base, name, range) => {
    const errorPath = `${options.config.scratch}/curl-errors`;
    const incoming = startIncoming(
      system,
      [...options.argv, ...curlArguments(options, range), `${base}/${name}`],
      {
        environment: { PATH: system.environment('PATH') ?? '/usr/bin:/usr/sbin' },
        errorPath,
        limits: options.limits,
        onBytes: options.onBytes,
      },
    );
    try {
      const answer = await readHead(system, incoming.read);
      if (answer === undefined) throw await ended(system, incoming, errorPath);
      const body = bodyReader(system, incoming, answer.rest, errorPath);
      return { close: incoming.close, read: await positioned(body, answer.head, range) };
    } catch (error) {
      await incoming.close();
      throw error;
    }
  };
}

function curlArguments({ config, limits }: HttpOptions, { offset, endBytes }: ByteRange): readonly string[] {
  return [
    // No configuration file, no patterns in addresses, nothing but HTTP, also after redirections.
    '--disable',
    '--globoff',
    '--proto',
    '=http,https',
    '--silent',
    '--show-error',
    '--include',
    '--suppress-connect-headers',
    '--location',
    '--max-redirs',
    '5',
    '--connect-timeout',
    String(limits.connectSeconds),
    ...(config.proxy === undefined ? [] : ['--proxy', config.proxy]),
    ...(config.caFile === undefined ? [] : ['--cacert', config.caFile]),
    ...(offset === 0 && endBytes === undefined
      ? []
      : ['--range', `${offset}-${endBytes === undefined ? '' : endBytes - 1}`]),
    '--',
  ];
}

/** The body from the byte that was asked for on, whatever the server began with. */
async function positioned(
  read: Connection['read'],
  head: HttpHead,
  { offset }: ByteRange,
): Promise<Connection['read']> {
  if ([403, 404, 410].includes(head.status))
    throw new SlipwayError('fetch.missing', `the server answered ${head.status}`);
  if (head.status !== 200 && head.status !== 206)
    throw new SlipwayError('fetch.refused', `the server answered ${head.status}`);
  if (head.status === 206) {
    if (head.contentType.startsWith('multipart/'))
      throw new SlipwayError('fetch.refused', 'the server answered in several parts');
    if (head.contentRange !== undefined && head.contentRange.first !== offset)
      throw new SlipwayError('fetch.refused', `the server began at byte ${head.contentRange.first}`);
    return read;
  }
  return skipping(read, offset);
}

/** The server sends all: what comes before `count` is thrown away. */
export async function skipping(read: Connection['read'], count: number): Promise<Connection['read']> {
  for (let left = count; left > 0;) {
    const bytes = await read(Math.min(left, 65_536));
    if (bytes.length === 0) throw new SlipwayError('fetch.refused', 'the file of the server is too short');
    left -= bytes.length;
  }
  return read;
}

function bodyReader(
  system: System,
  incoming: Incoming,
  first: Uint8Array,
  errorPath: string,
): Connection['read'] {
  let rest = first;
  return async (maxBytes) => {
    if (rest.length > 0) {
      const bytes = rest.subarray(0, maxBytes);
      rest = rest.subarray(bytes.length);
      return bytes;
    }
    const bytes = await incoming.read(maxBytes);
    if (bytes.length === 0 && (await incoming.exited) !== 0) throw await ended(system, incoming, errorPath);
    return bytes;
  };
}

async function ended(system: System, incoming: Incoming, errorPath: string): Promise<SlipwayError> {
  const code = await incoming.exited;
  const text = (system.readText(errorPath) ?? '').trim().slice(0, 300);
  return new SlipwayError('fetch.broken', text === '' ? `curl ended with ${code}` : text);
}
