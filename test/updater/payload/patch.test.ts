/** Patches: applied exactly, or refused. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeNumber } from '../../../updater/payload/bytes.ts';
import { LIMITS } from '../../../updater/payload/limits.ts';
import { applyPatch, encodePatch, type PatchStep } from '../../../updater/payload/patch.ts';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const step = (given: Partial<PatchStep>): PatchStep => ({
  copyBytes: 0,
  differences: bytes(),
  inserted: bytes(),
  seek: 0,
  ...given,
});

test('copies, adds, inserts and moves', () => {
  const source = bytes(1, 2, 3, 4, 250, 6);
  const patch = encodePatch([
    step({ copyBytes: 2, differences: bytes(0, 1), inserted: bytes(99), seek: -4 }),
    step({ copyBytes: 1, seek: 3 }),
    step({ differences: bytes(10) }),
  ]);
  expect(applyPatch(patch, source, 7)).toEqual(bytes(1, 2, 3, 5, 99, 1, 4));
});

test('nothing of nothing', () => {
  expect(applyPatch(encodePatch([]), bytes(), 0)).toEqual(bytes());
});

describe('refused', () => {
  const source = bytes(1, 2, 3, 4);
  const raw = (...numbers: number[]): Uint8Array => {
    const output: number[] = [];
    for (const each of numbers) writeNumber(output, each);
    return Uint8Array.from(output);
  };
  const cases: Record<string, readonly [Uint8Array, number, RegExp]> = {
    'an empty one': [bytes(), 0, /ends at byte 0/],
    'a copy behind the end': [encodePatch([step({ copyBytes: 5 })]), 5, /behind the end/],
    'differences behind the end': [
      encodePatch([step({ copyBytes: 3, differences: bytes(1, 1) })]),
      5,
      /behind the end/,
    ],
    'a move before the start': [encodePatch([step({ copyBytes: 1, seek: -2 })]), 1, /leaves/],
    'a move behind the end': [encodePatch([step({ copyBytes: 1, seek: 4 })]), 1, /leaves/],
    'too much': [encodePatch([step({ copyBytes: 4 })]), 3, /too much/],
    'too little': [encodePatch([step({ copyBytes: 4 })]), 5, /too little/],
    'missing bytes': [encodePatch([step({ inserted: bytes(1, 2) })]).subarray(0, -1), 2, /too short/],
    'missing differences': [
      encodePatch([step({ differences: bytes(1, 2) })]).subarray(0, -1),
      2,
      /too short/,
    ],
    'more bytes than it uses': [bytes(...encodePatch([step({ copyBytes: 4 })]), 0), 4, /too long/],
    'more steps than any': [raw(LIMITS.steps + 1), 0, /number of steps/],
    'a step that says more than any result': [raw(1, LIMITS.resultBytes + 1, 0, 0, 0), 0, /copied bytes/],
    'a result of more than 2 MiB': [encodePatch([]), LIMITS.resultBytes + 1, /makes 2097153/],
    'columns that end too early': [raw(2, 1, 1, 0), 2, /ends at byte/],
  };
  test.each(Object.entries(cases))('%s', (_name, [patch, size, message]) => {
    expect(() => applyPatch(patch, source, size)).toThrow(message);
    expect(() => applyPatch(patch, source, size)).toThrow(expect.objectContaining({ code: 'payload.patch' }));
  });
});

test('any bytes at all are a patch, or refused', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 40 }),
      fc.nat(60),
      (patch, source, size) => {
        try {
          expect(applyPatch(patch, source, size)).toHaveLength(size);
        } catch (error) {
          expect(error).toMatchObject({ code: 'payload.patch' });
        }
      },
    ),
    { numRuns: 1000 },
  );
});
