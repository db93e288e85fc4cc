/** Addresses, as far as provisioning takes any: HTTP and HTTPS, without user names. */
import { SlipwayError } from '../../../../spec/error.ts';

export interface Address {
  readonly scheme: 'http' | 'https';
  /** A name, an IPv4 address, or an IPv6 address without its brackets (a zone may follow: `fe80::1%en0`). */
  readonly host: string;
  readonly port: number;
  /** As it stands in the header `Host`. */
  readonly authority: string;
  /** With the query. */
  readonly path: string;
}

// No blanks, quotes, control characters, user names: these end up in argument vectors and request lines.
const URL =
  /^(https?):\/\/([A-Za-z0-9_][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?\])(?::(\d{1,5}))?(\/[\x21\x23-\x5b\x5d-\x7e]*)?$/;

/** Throws `http.url`. */
export function parseUrl(url: string): Address {
  const [, scheme, host = '', port, path = '/'] = URL.exec(url) ?? [];
  if (scheme !== 'http' && scheme !== 'https')
    throw new SlipwayError('http.url', `'${url.slice(0, 200)}' is no address that can be asked`, {
      hint: 'an address is http://host/path or https://host/path, with special characters written as %20',
    });
  return {
    scheme,
    host: host.replace(/^\[|\]$/g, ''),
    port: port === undefined ? (scheme === 'http' ? 80 : 443) : Number(port),
    // A zone is for us alone.
    authority: host.replace(/%[^\]]*/, '') + (port === undefined ? '' : `:${port}`),
    path: path.replace(/#.*$/, ''),
  };
}

/** The address that a `Location` means. Throws `http.url`. */
export function resolveUrl(from: string, location: string): string {
  if (/^https?:\/\//.test(location)) return location;
  const { scheme, path } = parseUrl(from);
  const origin = /^https?:\/\/[^/]+/.exec(from)?.[0] ?? '';
  if (location.startsWith('//')) return `${scheme}:${location}`;
  if (location.startsWith('/')) return origin + location;
  return origin + path.replace(/\?.*$/, '').replace(/[^/]*$/, '') + location;
}
