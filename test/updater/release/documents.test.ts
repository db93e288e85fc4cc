import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlipwayError } from '../../../spec/error.ts';
import { parseBrake } from '../../../updater/release/brake.ts';
import { releaseTargetName } from '../../../updater/release/document.ts';
import { parseReleaseEntry } from '../../../updater/release/entry.ts';
import { parseReleaseManifest } from '../../../updater/release/manifest.ts';
import { altered, ENTRY, MANIFEST, ROLLOUT } from './samples.ts';

const NAME = 'release_minimal_1.1.0_amd64.json';
const CURVE = ['channels', 'stable', 'curve'];
const START = [[0, 0]];
const BRAKE = {
  format: '1.0',
  releases: {
    [NAME]: { action: 'slow', startsAt: 5, curve: [[0, 1_000_000]] },
    '*': { action: 'pause', reason: 'holidays' },
  },
};

test('what was written is read', () => {
  expect(parseReleaseEntry(JSON.parse(JSON.stringify(ENTRY)), NAME)).toEqual(ENTRY);
  const full = { ...ENTRY, withdrawn: 'eats disks', minimumVersion: '1.0.0' };
  expect(parseReleaseEntry(full, NAME)).toEqual(full);
  expect(parseReleaseManifest(JSON.parse(JSON.stringify(MANIFEST)), ENTRY)).toEqual(MANIFEST);
  expect(parseBrake(BRAKE, 'stable')).toEqual(BRAKE);
});

test('target names are flat and hold no character that a store would change', () => {
  expect(releaseTargetName({ ...ENTRY, version: '2.0.0~rc.1' })).toBe(
    'release_minimal_2.0.0-rc.1_amd64.json',
  );
});

describe.each([
  [['version'], 'two', "should be an image's version"],
  [['version'], '1.2.0', 'describes release_minimal_1.2.0_amd64.json'],
  [['image'], '../x', 'the name of an image'],
  [['channels'], ['stable'], 'an object, and is a list'],
  [['channels', 'Stable'], ROLLOUT, "the key 'Stable'"],
  [['channels', '__proto__'], ROLLOUT, "the key '__proto__'"],
  [
    ['channels'],
    Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`c${index}`, ROLLOUT])),
    'more than 32',
  ],
  [['sequence'], 0, 'a whole number from 1'],
  [['sequence'], 1.5, 'a whole number'],
  [['channels', 'stable', 'startsAt'], '5', "and is '5'"],
  [['channels', 'stable', 'startsAt'], 1e300, 'a whole number'],
  [['barrier'], undefined, 'true or false, and is missing'],
  [['withdrawn'], null, 'a text, and is null'],
  [['minimumVersion'], '1.1.0', 'not older'],
  [CURVE, [], 'fewer than 1'],
  [CURVE, [[0, 500_000]], 'does not end at 1000000'],
  [
    CURVE,
    [
      [0, 0.5],
      [1, 1_000_000],
    ],
    'a whole number from 0',
  ],
  [CURVE, [...START, [0, 1]], 'does not rise'],
  [CURVE, [...START, [10, 5], [20, 4], [30, 1_000_000]], 'falls'],
  [CURVE, [[0, 1, 2]], 'more than 2'],
  [CURVE, [[-1, 0], ...START], 'a whole number from 0'],
  [CURVE, [[0, NaN]], 'a whole number from 0'],
  [['withoutBrake'], 'run', "one of 'hold', 'follow'"],
  [['extra'], 1, "the key 'extra'"],
  [['__proto__'], { format: '1.0' }, "the key '__proto__'"],
  [['requires'], ['A feature'], 'the name of a feature'],
])('an entry whose %j is %j', (path, value, message) => {
  test('is refused, with the place', () => {
    expect(() => parseReleaseEntry(altered(ENTRY, path, value), NAME)).toThrow(
      expect.objectContaining({ code: 'release.invalid', message: expect.stringContaining(message) }),
    );
  });
});

describe.each([
  [['root', 'sizeBytes'], 8000, 'whole blocks'],
  [['root', 'sizeBytes'], 12288, 'a block list of 96 bytes'],
  [['root', 'rootHash'], 'C'.repeat(64), '64 hexadecimal'],
  [['root', 'full', 'headerBytes'], 5001, 'a header longer'],
  [['root', 'full', 'headerBytes'], -1, 'a whole number'],
  [['root', 'deltas', 1], MANIFEST.root.deltas[0], 'one source twice'],
  [['root', 'deltas', 0, 'from'], '1_0', "image's version"],
  [['uki', 'signer', 'leaf'], undefined, 'and is missing'],
  [['uki', 'sizeBytes'], 2 ** 40, 'a whole number'],
  [['loader', 'version'], '../262', 'version of the boot loader'],
  [['secureBoot', 0, 'variable'], 'PK', "'db', 'dbx'"],
  [['layoutVersions'], [], 'fewer than 1'],
  [['notes'], 'x'.repeat(70_000), 'longer than'],
  [['version'], '1.2.0', 'describes'],
])('a manifest whose %j is %j', (path, value, message) => {
  test('is refused, with the place', () => {
    expect(() => parseReleaseManifest(altered(MANIFEST, path, value), ENTRY)).toThrow(
      expect.objectContaining({ code: 'release.invalid', message: expect.stringContaining(message) }),
    );
  });
});

describe.each([
  [{ ...BRAKE, releases: { [NAME]: { action: 'hurry' } } }, "'pause', 'withdraw'"],
  [{ ...BRAKE, releases: { [NAME]: { action: 'slow', startsAt: 1, curve: [[0, 0]] } } }, 'does not end at'],
  [{ ...BRAKE, releases: { '1.1.0': { action: 'pause', reason: '' } } }, "the key '1.1.0'"],
  [{ ...BRAKE, releases: [] }, 'an object, and is a list'],
  ['nonsense', "no 'format'"],
])('a brake %j', (value, message) => {
  test('is refused', () => {
    expect(() => parseBrake(value, 'stable')).toThrow(message);
  });
});

test('failure 5: a component that later releases have does not make an earlier one incomplete', () => {
  const { loader: _loader, secureBoot: _secureBoot, revokes: _revokes, ...earlier } = MANIFEST;
  expect(parseReleaseManifest(earlier, ENTRY)).toEqual(earlier);
  // And one that this version does not know yet makes a later release no unreadable one.
  expect(parseReleaseManifest({ ...MANIFEST, format: '1.1', firmware: { sha256: 'x' } }, ENTRY)).toEqual({
    ...MANIFEST,
    format: '1.1',
  });
});

describe('documents of a later Slipway', () => {
  test('another major version is refused as such', () => {
    const later = { ...ENTRY, format: '2.0' };
    expect(() => parseReleaseEntry(later, NAME)).toThrow(expect.objectContaining({ code: 'release.format' }));
  });

  test('a later minor version may have keys that are not known', () => {
    expect(parseReleaseEntry({ ...ENTRY, format: '1.7', colour: 'blue' }, NAME)).toEqual({
      ...ENTRY,
      format: '1.7',
    });
  });

  test('an entry that needs an unknown feature is readable, so that a barrier before it is found', () => {
    const later = { ...ENTRY, requires: ['erasure-coding'], parity: 3 };
    expect(parseReleaseEntry(later, NAME).requires).toEqual(['erasure-coding']);
  });

  test('a manifest that needs one is not', () => {
    const later = { ...MANIFEST, requires: ['erasure-coding'], parity: 3 };
    expect(() => parseReleaseManifest(later, ENTRY)).toThrow(
      expect.objectContaining({ code: 'release.requires' }),
    );
  });
});

test('no value whatsoever makes a parser fail but with a SlipwayError', () => {
  const keys = fc.constantFrom('format', 'requires', 'curve', 'releases', 'root', 'uki', 'version');
  const anything = fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue()));
  fc.assert(
    fc.property(anything, fc.constantFrom(...Object.keys(MANIFEST), ...Object.keys(ENTRY)), (value, key) => {
      for (const parse of [
        () => parseReleaseEntry(value, NAME),
        () => parseReleaseEntry(altered(ENTRY, [key], value), NAME),
        () => parseReleaseManifest(altered(MANIFEST, [key], value), ENTRY),
        () => parseBrake(value, 'stable'),
      ]) {
        try {
          parse();
        } catch (error) {
          expect(error).toBeInstanceOf(SlipwayError);
        }
      }
    }),
    { numRuns: 100 },
  );
});
