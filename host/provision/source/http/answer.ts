/** An HTTP/1.1 answer (RFC 9112) out of bytes as they come: its head, then a body by length, in chunks, or to the end of the connection. */
import { SlipwayError } from '../../../../spec/error.ts';
import { concatenate } from '../../../../system/bytes.ts';

export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Uint8Array;
}

export interface AnswerReader {
  /** Takes the next bytes; true once the answer is whole. Throws `http.too-large`, `http.broken`. */
  readonly push: (bytes: Uint8Array) => boolean;
  /** At the end of the connection. Throws `http.broken` when something is missing. */
  readonly end: () => HttpAnswer;
}

const HEAD_LIMIT_BYTES = 32_768;
const CHUNK_LINE_LIMIT_BYTES = 1024;

interface Head {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/**
 * `framed`: the bytes are as they were on the wire (`nc`); else a program has taken the body out of its frame already (`curl`). An answer to our own question
 * without a body is not expected: no HEAD is ever sent.
 */
export function readAnswer(
  decode: (bytes: Uint8Array) => string,
  framed: boolean,
  bodyLimitBytes: number,
): AnswerReader {
  let head: Head | undefined;
  let rest: Uint8Array = new Uint8Array(0);
  const body: Uint8Array[] = [];
  let bodyBytes = 0;
  let whole = false;

  function takeHead(): boolean {
    for (let end = headEnd(rest); end > 0; end = headEnd(rest)) {
      const found = parseHead(decode(rest.subarray(0, end)));
      rest = rest.slice(end);
      // Interim answers (100, 103) come before the one that counts.
      if (found.status >= 200) {
        head = found;
        return true;
      }
    }
    if (rest.length > HEAD_LIMIT_BYTES) throw broken('its head has no end');
    return false;
  }

  function takeBody(count: number): void {
    bodyBytes += count;
    if (bodyBytes > bodyLimitBytes)
      throw new SlipwayError('http.too-large', `the answer is larger than ${bodyLimitBytes} bytes`);
    body.push(rest.slice(0, count));
    rest = rest.slice(count);
  }

  /** Bytes of the chunk that is being read; its line end comes after it. */
  let chunkLeft = 0;
  let chunkOpen = false;
  function takeChunks(): void {
    for (;;) {
      if (chunkLeft > 0) {
        const count = Math.min(chunkLeft, rest.length);
        takeBody(count);
        chunkLeft -= count;
        if (chunkLeft > 0) return;
      }
      if (chunkOpen) {
        if (rest.length < 2) return;
        rest = rest.slice(2);
        chunkOpen = false;
      }
      const end = rest.indexOf(10);
      if (end < 0) {
        if (rest.length > CHUNK_LINE_LIMIT_BYTES) throw broken('a chunk has no size');
        return;
      }
      const size = /^([0-9a-fA-F]{1,8})\s*(?:;.*)?\r?$/.exec(decode(rest.subarray(0, end)))?.[1];
      if (size === undefined) throw broken('a chunk has no size');
      rest = rest.slice(end + 1);
      chunkLeft = parseInt(size, 16);
      // Trailers are of no interest, and the connection is ours to close.
      if (chunkLeft === 0) {
        whole = true;
        return;
      }
      chunkOpen = true;
    }
  }

  return {
    push: (bytes) => {
      rest = rest.length === 0 ? bytes : concatenate([rest, bytes]);
      if (head === undefined && !takeHead()) return false;
      const length = framed ? contentLength(head) : undefined;
      if (framed && isChunked(head)) takeChunks();
      else {
        takeBody(length === undefined ? rest.length : Math.min(rest.length, length - bodyBytes));
        whole = (length !== undefined && bodyBytes >= length) || (framed && hasNoBody(head));
      }
      return whole;
    },
    end: () => {
      if (head === undefined) throw broken('it ended within its head');
      if (framed && !whole && (isChunked(head) || contentLength(head) !== undefined))
        throw broken('it ended too early');
      return { ...head, body: concatenate(body) };
    },
  };
}

function hasNoBody(head: Head | undefined): boolean {
  return head?.status === 204 || head?.status === 304;
}

function isChunked(head: Head | undefined): boolean {
  return /\bchunked\s*$/i.test(head?.headers.get('transfer-encoding') ?? '');
}

function contentLength(head: Head | undefined): number | undefined {
  const text = head?.headers.get('content-length');
  if (text === undefined || isChunked(head)) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw broken('its length is no number');
  return Number(text);
}

/** Where the body begins; 0 when it is not there yet. */
function headEnd(bytes: Uint8Array): number {
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) {
    if (bytes[at + 1] === 10) return at + 2;
    if (bytes[at + 1] === 13 && bytes[at + 2] === 10) return at + 3;
  }
  return 0;
}

function parseHead(text: string): Head {
  const [first = '', ...lines] = text.split(/\r?\n/);
  const status = /^HTTP\/\d(?:\.\d)? (\d{3})\b/.exec(first)?.[1];
  if (status === undefined) throw broken('it is not HTTP');
  const headers = new Map<string, string>();
  for (const line of lines) {
    const at = line.indexOf(':');
    if (at > 0) headers.set(line.slice(0, at).trim().toLowerCase(), line.slice(at + 1).trim());
  }
  return { status: Number(status), headers };
}

function broken(what: string): SlipwayError {
  return new SlipwayError('http.broken', `the answer cannot be used: ${what}`);
}
