import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readElf } from '../../../builder/debian/elf.ts';
import { readTar, type ReadAt } from '../../../builder/debian/tar-index.ts';

const readerOf =
  (bytes: Buffer): ReadAt =>
  (offset, length) =>
    bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length));

test('a shared library tells its name, a program its interpreter', () => {
  const program = readElf(readerOf(readFileSync('/usr/bin/dpkg-deb')));
  expect(program?.interpreter).toMatch(/ld-linux/);
  expect(program?.needed).toContain('libc.so.6');
  expect(program?.soname).toBeUndefined();
  const loader = readElf(readerOf(readFileSync(program?.interpreter ?? '')));
  expect(loader?.soname).toMatch(/^ld-linux/);
});

test('what is no ELF file is none', () => {
  for (const text of ['', '#!/bin/sh\n', '\x7fELF', 'x'.repeat(100)])
    expect(readElf(readerOf(Buffer.from(text, 'latin1')))).toBeUndefined();
});

test('no damage to an ELF file makes the reader fail', () => {
  const sound = readFileSync('/usr/bin/dpkg-deb');
  const changes = fc.array(fc.tuple(fc.nat(1200), fc.nat(255)), { maxLength: 20 });
  fc.assert(
    fc.property(changes, fc.nat(sound.length), (bytes, length) => {
      const damaged = Buffer.from(sound.subarray(0, length));
      for (const [place, value] of bytes) if (place >= 16 && place < damaged.length) damaged[place] = value;
      readElf(readerOf(damaged));
    }),
    { numRuns: 200 },
  );
});

test('no bytes make the tar reader fail but with its own error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 2048 }), (bytes) => {
      try {
        for (const entry of readTar(readerOf(Buffer.from(bytes)), 'x'))
          expect(entry.sizeBytes).toBeGreaterThanOrEqual(0);
      } catch (error) {
        expect(error).toMatchObject({ code: 'debian.bad-package' });
      }
    }),
  );
});
