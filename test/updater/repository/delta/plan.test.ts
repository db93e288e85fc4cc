/** From what two images share to operations: what is copied, what is patched, and against which old bytes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LIMITS } from '../../../../updater/payload/limits.ts';
import type { Run } from '../../../../updater/repository/delta/match.ts';
import { planOperations } from '../../../../updater/repository/delta/plan.ts';
import { chooseWindow } from '../../../../updater/repository/delta/window.ts';

const copy = (block: number, blocks: number, source: number): Run => ({
  kind: 'copy',
  block,
  blocks,
  source,
});
const fresh = (block: number, blocks: number): Run => ({ kind: 'new', block, blocks });

test('a changed run between two copies knows where the old image goes on, and where it comes back', () => {
  expect(planOperations([copy(0, 50, 0), fresh(50, 2), copy(52, 50, 55)], 4096)).toEqual([
    copy(0, 50, 0),
    { kind: 'piece', block: 50, blocks: 2, after: 50, before: 55 },
    copy(52, 50, 55),
  ]);
});

test('a short copy between two changes is patched with them; a long one and a far one are not', () => {
  const around = (middle: Run): number =>
    planOperations([copy(0, 50, 0), fresh(50, 1), middle, fresh(middle.block + middle.blocks, 1)], 4096)
      .length;
  expect(around(copy(51, 16, 51))).toBe(2);
  expect(around(copy(51, 17, 51))).toBe(4);
  expect(around(copy(51, 1, 5000))).toBe(4);
});

test('a run of more than 2 MiB is made in pieces, of which the outer ones have neighbours', () => {
  const plan = planOperations([copy(0, 1, 7), fresh(1, 1200), copy(1201, 1, 9)], 4096);
  expect(plan.slice(1, -1)).toEqual([
    { kind: 'piece', block: 1, blocks: 400, after: 8, before: undefined },
    { kind: 'piece', block: 401, blocks: 400, after: undefined, before: undefined },
    { kind: 'piece', block: 801, blocks: 400, after: undefined, before: 9 },
  ]);
});

test('whatever resembles a piece, its window keeps to the limits', () => {
  const place = fc.tuple(fc.nat(40_000), fc.integer({ min: 1, max: 3000 }));
  fc.assert(
    fc.property(
      fc.array(place, { maxLength: 60 }),
      fc.record({
        blocks: fc.integer({ min: 1, max: 512 }),
        after: fc.option(fc.nat(300_000), { nil: undefined }),
        before: fc.option(fc.nat(300_000), { nil: undefined }),
      }),
      fc.integer({ min: 1, max: 1_300_000_000 }),
      (places, piece, sizeBytes) => {
        const votes = { places: new Map(places), most: (piece.blocks * 4096) / 16 };
        const extents = chooseWindow({ kind: 'piece', block: 0, ...piece }, votes, {
          sizeBytes,
          blockBytes: 4096,
        });
        expect(extents.length).toBeLessThanOrEqual(LIMITS.extents);
        expect(extents.reduce((sum, extent) => sum + extent.sizeBytes, 0)).toBeLessThanOrEqual(
          LIMITS.windowBytes,
        );
        let end = 0;
        for (const extent of extents) {
          expect(extent.offset).toBeGreaterThanOrEqual(end);
          expect(extent.offset % 4096).toBe(0);
          end = extent.offset + extent.sizeBytes;
          expect(end === sizeBytes || end % 4096 === 0).toBe(true);
        }
        expect(end).toBeLessThanOrEqual(sizeBytes);
      },
    ),
    { numRuns: 300 },
  );
});
