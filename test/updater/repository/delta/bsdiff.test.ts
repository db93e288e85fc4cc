/** What the differ finds, applied, makes the new bytes: of anything, with the steps that a person would expect. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyPatch, encodePatch } from '../../../../updater/payload/patch.ts';
import { diff } from '../../../../updater/repository/delta/bsdiff.ts';
import { suffixArray } from '../../../../updater/repository/delta/suffix-array.ts';

/** Few different bytes, so that there is much to match. */
const bytes = fc.uint8Array({ max: 3, maxLength: 120 });

/** Bytes that never repeat soon. */
function noise(length: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 24);
}

function apply(old: Uint8Array, next: Uint8Array): Uint8Array {
  return applyPatch(encodePatch(diff(old, next)), old, next.length);
}

test('suffixes are in their order', () => {
  fc.assert(
    fc.property(bytes, (text) => {
      const sorted = [...text.keys()].sort((a, b) => Buffer.compare(text.subarray(a), text.subarray(b)));
      expect([...suffixArray(text)]).toEqual(sorted);
    }),
    { numRuns: 400 },
  );
});

test('any new bytes are made of any old ones', () => {
  fc.assert(
    fc.property(bytes, bytes, (old, next) => {
      expect(apply(old, next)).toEqual(next);
    }),
    { numRuns: 400 },
  );
});

test('bytes that moved, changed here and there, and got others between them', () => {
  fc.assert(
    fc.property(
      fc.nat(2000),
      fc.nat(2000),
      fc.array(fc.tuple(fc.nat(3999), fc.nat(255)), { maxLength: 20 }),
      bytes,
      (cut, insert, changes, added) => {
        const old = noise(4000, 7);
        const next = Uint8Array.from([...old.subarray(cut), ...old.subarray(0, cut)]);
        for (const [at, value] of changes) next[at] = value;
        const final = Uint8Array.from([...next.subarray(0, insert), ...added, ...next.subarray(insert)]);
        expect(apply(old, final)).toEqual(final);
      },
    ),
    { numRuns: 60 },
  );
});

test('one changed byte in 100 kB is two copies and one difference', () => {
  const old = noise(100_000, 3);
  const next = Uint8Array.from(old);
  next[50_000] = (old[50_000] ?? 0) + 5;
  expect(diff(old, next)).toEqual(
    [
      { copyBytes: 0, differences: new Uint8Array(), inserted: new Uint8Array(), seek: 0 },
      { copyBytes: 50_000, differences: Uint8Array.of(5), inserted: new Uint8Array(), seek: 0 },
      { copyBytes: 49_999, differences: new Uint8Array(), inserted: new Uint8Array(), seek: 0 },
    ].slice(1),
  );
});

test('addresses that all moved by the same are differences, not new bytes', () => {
  const old = noise(40_000, 5);
  const next = old.map((byte, index) => (index % 40 === 0 ? byte + 16 : byte));
  const steps = diff(old, next);
  expect(steps.reduce((sum, { inserted }) => sum + inserted.length, 0)).toBe(0);
  expect(apply(old, next)).toEqual(next);
});
