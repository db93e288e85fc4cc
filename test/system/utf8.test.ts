import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeUtf8, encodeUtf8 } from '../../system/utf8.ts';

test('text is encoded as everybody does', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(Buffer.compare(encodeUtf8(text), Buffer.from(text))).toBe(0);
    }),
  );
});

test('any bytes are decoded, and what is UTF-8 comes back', () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => typeof decodeUtf8(bytes) === 'string'));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(decodeUtf8(Buffer.from(text))).toBe(Buffer.from(text).toString());
    }),
  );
});

test.each([[[0xc0, 0x80]], [[0xff]], [[0xe2, 0x82]], [[0xed, 0xa0, 0x80]]])('%j is no UTF-8', (bytes) => {
  expect(decodeUtf8(new Uint8Array(bytes))).toContain('\ufffd');
});
