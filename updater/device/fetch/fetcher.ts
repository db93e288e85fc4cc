/** Fetches files of a repository: what is needed is streamed, never stored. */
import { SlipwayError } from '../../../spec/error.ts';
import { concatenate } from '../../../system/bytes.ts';
import type { System } from '../../../system/system.ts';
import {
  checkName,
  checkProxy,
  FETCH_LIMITS,
  parseMirror,
  type FetchConfig,
  type FetchProgram,
} from './config.ts';
import type { Connect } from './connection.ts';
import { curlConnect } from './curl.ts';
import { folderConnect } from './folder.ts';
import { checkAuthority, checksServers } from './https.ts';
import { createMirrors, type Mirrors } from './mirrors.ts';
import { openStream, type ByteStream } from './stream.ts';
import { wgetConnect } from './wget.ts';

export interface Fetcher {
  /** A small file as a whole; `missing` when no mirror that answers has it. Throws `fetch.too-large` behind `limitBytes`, `fetch.failed`. */
  readonly file: (name: string, limitBytes: number) => Promise<Uint8Array | 'missing'>;
  /** Bytes `offset` to `endBytes` (exclusive; both known from signed metadata). Ends the stream before: nothing else runs at the same time. */
  readonly stream: (name: string, offset: number, endBytes: number) => ByteStream;
  /** All that came over the network since the start, wanted or not. */
  readonly receivedBytes: () => number;
}

const READ_BYTES = 65_536;

/** Throws `fetch.mirror`, `fetch.proxy` for a configuration that means nothing, `fetch.ca` for one that cannot be kept here. */
export function createFetcher(system: System, config: FetchConfig): Fetcher {
  let received = 0;
  const onBytes = (count: number): void => {
    received += count;
    config.onBytes?.(count);
  };
  if (config.proxy !== undefined) checkProxy(config.proxy);
  const program = config.program ?? programOf(system);
  checkAuthority(config, program);
  system.makeDirectory(config.scratch, 0o700);
  const limits = { ...FETCH_LIMITS, ...config.limits };
  const mirrors = createMirrors(
    system,
    config.mirrors.map(parseMirror),
    { http: httpConnect(system, config, program, onBytes), folder: folderConnect(system, onBytes) },
    { limits, bytesPerSecond: config.bytesPerSecond },
  );
  return {
    file: (name, limitBytes) => wholeFile(mirrors, name, limitBytes),
    stream: (name, offset, endBytes) => {
      checkName(name);
      return openStream(mirrors, name, offset, endBytes);
    },
    receivedBytes: () => received,
  };
}

function httpConnect(
  system: System,
  config: FetchConfig,
  { kind, argv }: FetchProgram,
  onBytes: (count: number) => void,
): Connect {
  const limits = { ...FETCH_LIMITS, ...config.limits };
  const connect = { curl: curlConnect, wget: wgetConnect }[kind];
  return connect(system, { argv, config, limits, onBytes });
}

function programOf(system: System): FetchProgram {
  return checksServers(system) ? { kind: 'curl', argv: ['curl'] } : { kind: 'wget', argv: ['wget'] };
}

/** Its size is not known before: what breaks off is begun anew. */
async function wholeFile(
  mirrors: Mirrors,
  name: string,
  limitBytes: number,
): Promise<Uint8Array | 'missing'> {
  checkName(name);
  const attempts = mirrors.attempts();
  for (;;) {
    const mirror = attempts.mirror();
    try {
      const bytes = await readWhole(mirrors, mirror, name, limitBytes);
      mirrors.works(mirror);
      return bytes;
    } catch (fault) {
      if (!(fault instanceof SlipwayError)) throw fault;
      try {
        await attempts.failed(mirror, fault);
      } catch (last) {
        if (last instanceof SlipwayError && last.code === 'fetch.missing') return 'missing';
        throw last;
      }
    }
  }
}

async function readWhole(
  mirrors: Mirrors,
  mirror: number,
  name: string,
  limitBytes: number,
): Promise<Uint8Array> {
  const connection = await mirrors.connect(mirror, name, { offset: 0 });
  try {
    const chunks: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const chunk = await connection.read(READ_BYTES);
      if (chunk.length === 0) break;
      total += chunk.length;
      if (total > limitBytes)
        throw new SlipwayError('fetch.too-large', `${name} is larger than ${limitBytes} bytes`);
      chunks.push(chunk);
      await mirrors.paced(chunk.length);
    }
    return concatenate(chunks);
  } finally {
    await connection.close();
  }
}
