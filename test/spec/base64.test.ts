import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../spec/base64.ts';

test('as Node writes it', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect(encodeBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
    }),
  );
});

test('what Node packs, in lines or with blanks, with padding or without, is unpacked', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), fc.boolean(), (bytes, lines, padded) => {
      let text = Buffer.from(bytes).toString('base64');
      if (!padded) text = text.replace(/=+$/, '');
      if (lines) text = text.replace(/.{1,10}/g, '$&\r\n');
      expect(Buffer.from(decodeBase64(text) ?? 'nothing')).toEqual(Buffer.from(bytes));
    }),
  );
});

test.each(['#cloud-config', 'a', 'ab=', 'abc==', 'ab=c', '=', 'aGVsbG8-'])('%j is none', (text) => {
  expect(decodeBase64(text)).toBeUndefined();
});
