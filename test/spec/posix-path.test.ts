import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import * as ours from '../../spec/posix-path.ts';

const path = fc.array(fc.constantFrom('a', 'bc', '.', '..', '/', '//', 'd.e'), { maxLength: 8 });
const paths = path.map((parts) => parts.join(''));
const absolute = paths.map((text) => `/${text}`);

test('the same as node:path says', () => {
  fc.assert(
    fc.property(paths, paths, absolute, absolute, (one, other, root, end) => {
      expect(ours.normalize(one)).toBe(posix.normalize(one));
      expect(ours.join(one, other)).toBe(posix.join(one, other));
      expect(ours.dirname(ours.normalize(one))).toBe(posix.dirname(posix.normalize(one)));
      expect(ours.basename(one)).toBe(posix.basename(one));
      expect(ours.resolve(root, one, other)).toBe(posix.resolve(root, one, other));
      expect(ours.relative(root, end)).toBe(posix.relative(root, end));
    }),
    { numRuns: 500 },
  );
});
