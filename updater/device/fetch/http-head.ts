/** The heads of HTTP answers, in front of the body as `curl --include` prints them: one for each redirection, then the one that counts. */
import { SlipwayError } from '../../../spec/error.ts';
import type { System } from '../../../system/system.ts';

export interface HttpHead {
  readonly status: number;
  /** First and last byte and size of a 206 answer, as far as it tells. */
  readonly contentRange?: { readonly first: number; readonly last: number };
  readonly contentType: string;
}

/** Far more than servers send; a head without an end is refused. */
const LIMIT_BYTES = 32_768;

/**
 * Reads up to the end of the last head; `rest` are the bytes of the body that came with it. `undefined` when the source ended before. Throws
 * `fetch.refused`.
 */
export async function readHead(
  system: System,
  read: (maxBytes: number) => Promise<Uint8Array>,
): Promise<{ readonly head: HttpHead; readonly rest: Uint8Array } | undefined> {
  let bytes = new Uint8Array(0);
  for (let total = 0; total <= LIMIT_BYTES;) {
    const end = headEnd(bytes);
    if (end > 0) {
      const head = parseHead(system.decode(bytes.subarray(0, end)));
      bytes = bytes.slice(end);
      if (!followed(head)) return { head, rest: bytes };
      continue;
    }
    const more = await read(16_384);
    if (more.length === 0) return undefined;
    total += more.length;
    const joined = new Uint8Array(bytes.length + more.length);
    joined.set(bytes);
    joined.set(more, bytes.length);
    bytes = joined;
  }
  throw new SlipwayError('fetch.refused', 'the head of the answer has no end');
}

/** Interim answers, and redirections (curl itself follows those, and prints no body of theirs). */
function followed({ status }: HttpHead): boolean {
  return status < 200 || (status >= 300 && status < 400);
}

/** Where the body begins; 0 when it is not there yet. */
function headEnd(bytes: Uint8Array): number {
  for (let index = 0; index + 3 < bytes.length; index += 1)
    if (bytes[index] === 13 && bytes[index + 1] === 10 && bytes[index + 2] === 13 && bytes[index + 3] === 10)
      return index + 4;
  return 0;
}

function parseHead(text: string): HttpHead {
  const [first = '', ...lines] = text.split('\r\n');
  const status = /^HTTP\/[\d.]+ (\d{3})\b/.exec(first)?.[1];
  if (status === undefined) throw new SlipwayError('fetch.refused', 'the answer is not HTTP');
  const field = (name: string): string =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim() ?? '';
  const range = /^bytes (\d{1,15})-(\d{1,15})\//.exec(field('content-range'));
  return {
    status: Number(status),
    contentType: field('content-type').toLowerCase(),
    ...(range === null ? {} : { contentRange: { first: Number(range[1]), last: Number(range[2]) } }),
  };
}
