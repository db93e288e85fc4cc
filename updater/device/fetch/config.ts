/** Where payloads and metadata come from, and how patient the machine is. */
import { SlipwayError } from '../../../spec/error.ts';

export interface FetchConfig {
  /** In order of preference: `http://...`, `https://...`, `file:///...`, or an absolute directory. */
  readonly mirrors: readonly string[];
  /** `http://[user:password@]host:port` for all HTTP(S) mirrors. */
  readonly proxy?: string;
  /** PEM file of the CAs that HTTPS mirrors are judged by, instead of the image's. busybox's wget judges none: with it, such a mirror is refused. */
  readonly caFile?: string;
  /** All streams together. */
  readonly bytesPerSecond?: number;
  /** A directory in memory (tmpfs) of this process alone. */
  readonly scratch: string;
  readonly limits?: Partial<FetchLimits>;
  /** argv prefixes, instead of the image's `curl`, else `wget`. */
  readonly program?: FetchProgram;
  /** Called with each count of bytes that came, wanted or not: for progress and metered links. */
  readonly onBytes?: (count: number) => void;
}

export type FetchProgram =
  | { readonly kind: 'curl'; readonly argv: readonly string[] }
  | { readonly kind: 'wget'; readonly argv: readonly string[] };

export interface FetchLimits {
  readonly connectSeconds: number;
  /** A connection that brought less than `minimumBytesPerSecond` over so long is given up. */
  readonly stallSeconds: number;
  readonly minimumBytesPerSecond: number;
  /** How often all mirrors are tried without progress before it is an error. */
  readonly rounds: number;
  /** Pause before the second round; doubled before each further one. */
  readonly pauseMs: number;
}

export const FETCH_LIMITS: FetchLimits = {
  connectSeconds: 20,
  stallSeconds: 30,
  minimumBytesPerSecond: 256,
  rounds: 4,
  pauseMs: 1000,
};

export type Mirror =
  { readonly kind: 'http'; readonly base: string } | { readonly kind: 'folder'; readonly base: string };

// No blanks, quotes or control characters: these end up in argument vectors and, with busybox, in request lines.
const HTTP = /^https?:\/\/[A-Za-z0-9._~:@%[\]-]+(\/[A-Za-z0-9._~:@%!$&'()*+,;=/-]*)?$/;
const PROXY = /^(https?|socks5h?):\/\/[A-Za-z0-9._~:@%[\]-]+\/?$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._~+-]{0,254}(\/[A-Za-z0-9][A-Za-z0-9._~+-]{0,254})?$/;

/** Throws `fetch.mirror` for what is none. */
export function parseMirror(text: string): Mirror {
  const base = text.replace(/\/+$/, '');
  if (HTTP.test(base)) return { kind: 'http', base };
  const path = base.startsWith('file://') ? base.slice('file://'.length) : base;
  if (path.startsWith('/') && !path.includes('\0')) return { kind: 'folder', base: path };
  throw new SlipwayError('fetch.mirror', `'${text}' is no mirror`, {
    hint: 'a mirror is http://..., https://..., file:///... or an absolute directory',
  });
}

/** Throws `fetch.proxy`. */
export function checkProxy(proxy: string): void {
  if (!PROXY.test(proxy))
    throw new SlipwayError('fetch.proxy', 'the proxy is not of the form http://host:port');
}

/** Throws `fetch.name`: nothing that a server or a file system could take for another place. */
export function checkName(name: string): void {
  if (!NAME.test(name))
    throw new SlipwayError('fetch.name', `'${name}' is no name of a file in a repository`);
}

/** For people: an address may hold a password. */
export function withoutPassword(address: string): string {
  return address.replace(/^([a-z0-9+.-]+:\/\/[^:@/]*):[^@/]*@/, '$1:***@');
}
