/** HTTP as it may come: cut anywhere, framed in each way, broken, without end. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readAnswer, type HttpAnswer } from '../../../../../host/provision/source/http/answer.ts';
import { parseUrl, resolveUrl } from '../../../../../host/provision/source/http/url.ts';
import { SlipwayError } from '../../../../../spec/error.ts';

const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function read(pieces: readonly (string | Uint8Array)[], framed = true, limit = 1000): HttpAnswer {
  const reader = readAnswer(decode, framed, limit);
  for (const piece of pieces) if (reader.push(Buffer.from(piece))) break;
  return reader.end();
}
const body = (answer: HttpAnswer): string => decode(answer.body);

describe('an answer', () => {
  test.each([
    ['by its length', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloNEXT', 'hello'],
    ['to the end', 'HTTP/1.0 200 OK\r\n\r\nhello', 'hello'],
    [
      'in chunks',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n',
      'hello',
    ],
    [
      'in chunks, whatever its length says',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
      'a',
    ],
    ['with line feeds alone', 'HTTP/1.1 200 OK\nContent-Length: 2\n\nhi', 'hi'],
    [
      'after an interim one',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
      'hi',
    ],
    ['empty', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', ''],
    ['without content', 'HTTP/1.1 204 No Content\r\n\r\n', ''],
  ])('%s, in one piece and byte by byte', (_name, text, expected) => {
    expect(body(read([text]))).toBe(expected);
    expect(body(read([...text]))).toBe(expected);
  });

  test('a program has unframed it', () => {
    const text = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 100\r\n\r\nhello';
    expect(body(read([text], false))).toBe('hello');
  });

  test('names of headers are in lower case, the first line gives the status', () => {
    const answer = read(['HTTP/2 429 \r\nRetry-After:  7 \r\nX: a:b\r\n\r\n'], false);
    expect(answer.status).toBe(429);
    expect([...answer.headers]).toEqual([
      ['retry-after', '7'],
      ['x', 'a:b'],
    ]);
  });

  test.each([
    ['cut within its head', 'HTTP/1.1 200 OK\r\nContent-Le'],
    ['cut within its body', 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell'],
    ['cut within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel'],
    ['cut before the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n'],
    ['a chunk without a size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    ['a length that is none', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['something else', 'SSH-2.0-OpenSSH_9.9\r\n\r\n'],
    ['nothing', ''],
    ['a head without end', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(7000)}`],
    [
      'a line of a chunk without end',
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'1'.repeat(2000)}`,
    ],
  ])('broken: %s', (_name, text) => {
    expect(() => read([text])).toThrow(expect.objectContaining({ code: 'http.broken' }) as Error);
  });

  test.each([
    ['by its length', `HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n${'x'.repeat(1001)}`],
    ['to the end', `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1001)}`],
    ['in chunks', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n${'x'.repeat(1001)}`],
  ])('too large: %s', (_name, text) => {
    expect(() => read([text])).toThrow(expect.objectContaining({ code: 'http.too-large' }) as Error);
  });

  test('whatever comes, it is an answer or told', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'HTTP/1.1 200 OK\r\n',
        'Transfer-Encoding: chunked\r\n',
        'Content-Length: 5\r\n',
        '\r\n',
        '5\r\n',
        'hello',
        '0\r\n\r\n',
      ),
      fc.string({ maxLength: 8 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.boolean(), (pieces, framed) => {
        try {
          expect(read(pieces, framed).body.length).toBeLessThanOrEqual(1000);
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError);
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe('addresses', () => {
  test.each([
    [
      'http://169.254.169.254/a?b=c',
      { host: '169.254.169.254', port: 80, authority: '169.254.169.254', path: '/a?b=c' },
    ],
    ['http://[fd00:ec2::254]', { host: 'fd00:ec2::254', port: 80, authority: '[fd00:ec2::254]', path: '/' }],
    [
      'http://[fe80::1%en0]:8080/x',
      { host: 'fe80::1%en0', port: 8080, authority: '[fe80::1]:8080', path: '/x' },
    ],
    ['https://a.example/x#y', { scheme: 'https', host: 'a.example', port: 443, path: '/x' }],
  ])('%s', (url, expected) => {
    expect(parseUrl(url)).toMatchObject(expected);
  });
  test.each([
    '',
    'ftp://a/',
    'file:///etc/passwd',
    'http://a b/',
    'http://a/\r\nX: y',
    'http://user:word@a/',
    'http://a/"',
    'http://-e/bin/sh',
    'http://a/\u00e4',
    'http://[::1/',
  ])('%j is none', (url) => {
    expect(() => parseUrl(url)).toThrow(expect.objectContaining({ code: 'http.url' }) as Error);
  });
  test.each([
    ['http://a/b/c?d', '/x', 'http://a/x'],
    ['http://a/b/c?d=/e', 'x', 'http://a/b/x'],
    ['http://a', 'x', 'http://a/x'],
    ['https://a:1/b', '//c/d', 'https://c/d'],
    ['http://a/b', 'https://c/d', 'https://c/d'],
  ])('from %s, %s is %s', (from, location, expected) => {
    expect(resolveUrl(from, location)).toBe(expected);
  });
});
