import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareVersions, isImageVersion } from '../../spec/version.ts';

/** The table of the UAPI Version Format Specification, and what the boot loader did when we tried. */
const OLDER_FIRST: readonly (readonly [string, string])[] = [
  ['122.1', '123'],
  ['123~rc1-1', '123'],
  ['123', '123-a'],
  ['123-a', '123-a.1'],
  ['123-a', '123-a^post1'],
  ['123-a.1', '123-1'],
  ['123-1', '123-1.1'],
  ['123^post1', '123.1'],
  ['123.1', '123a'],
  ['2.0.0~rc.1', '2.0.0'],
  ['2.0.0~rc.1', '2.0.0~rc.2'],
  ['2.0.0~rc.2', '2.0.0~rc.10'],
  ['1.9.9', '1.10.0'],
  ['1.0', '1.0.1'],
  ['1', '1.0'],
  ['~', ''],
];

describe('compareVersions', () => {
  test.each(OLDER_FIRST)('%s is older than %s', (older, newer) => {
    expect(Math.sign(compareVersions(older, newer))).toBe(-1);
    expect(Math.sign(compareVersions(newer, older))).toBe(1);
  });

  test.each([
    ['1.2.3', '1.2.3'],
    ['1.02', '1.2'],
    ['1_2', '_1_2'],
    ['', ''],
    ['99999999999999999999999999', '099999999999999999999999999'],
  ])('%s equals %s', (a, b) => {
    expect(compareVersions(a, b)).toBe(0);
  });

  test('is an order: antisymmetric and transitive', () => {
    const version = fc.string({
      unit: fc.constantFrom('0', '1', '9', 'a', 'b', '.', '~', '-', '^', '_'),
      maxLength: 6,
    });
    fc.assert(
      fc.property(version, version, version, (a, b, c) => {
        expect(Math.sign(compareVersions(a, b))).toBe(0 - Math.sign(compareVersions(b, a)));
        if (compareVersions(a, b) <= 0 && compareVersions(b, c) <= 0) {
          expect(compareVersions(a, c)).toBeLessThanOrEqual(0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  const oracle = spawnSync('systemd-analyze', ['compare-versions', '1', '2']).error === undefined;
  test.skipIf(!oracle)('agrees with systemd-analyze compare-versions', () => {
    const words = ['1', '01', '2', '10', 'a', 'rc', '.', '~', '-', '^', '_', '+'];
    const versions = fc.sample(
      fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
      { numRuns: 120, seed: 1 },
    );
    const usable = versions.filter((version) => !version.startsWith('-'));
    for (const [a, b] of [...OLDER_FIRST.filter(([, b]) => b !== ''), ...pairs(usable)]) {
      const { stdout } = spawnSync('systemd-analyze', ['compare-versions', '--', a, b], { encoding: 'utf8' });
      const sign = Math.sign(compareVersions(a, b));
      expect(stdout.trim(), `${a} ? ${b}`).toBe(`${a} ${sign < 0 ? '<' : sign > 0 ? '>' : '=='} ${b}`);
    }
  });
});

describe('isImageVersion', () => {
  test.each(['1', '1.0.0', '2.0.0~rc.1', '2026.11.21', '0.0.1~a'])('%s is one', (version) => {
    expect(isImageVersion(version)).toBe(true);
  });

  test.each([
    '',
    'v1',
    '1.',
    '.1',
    '1.0-rc1',
    '1.0+3',
    '1_0',
    '1~',
    '1~RC',
    '1 ',
    '1\n',
    '1..0',
    '1'.repeat(65),
  ])('%j is none', (version) => {
    expect(isImageVersion(version)).toBe(false);
  });
});

function pairs(versions: readonly string[]): readonly (readonly [string, string])[] {
  return versions.slice(1).map((version, index) => [versions[index] ?? '', version] as const);
}
