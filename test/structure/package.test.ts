import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { SLIPWAY_VERSION } from '../../spec/slipway-version.ts';

interface Package {
  readonly version: string;
  readonly license: string;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Package;

test('one version everywhere', () => {
  expect(SLIPWAY_VERSION).toBe(manifest.version);
  expect(readFileSync('CHANGELOG.md', 'utf8')).toContain(`## ${manifest.version}`);
});

test('every dependency is explained in docs/dependencies.md, and nothing else is', () => {
  const explained = [...readFileSync('docs/dependencies.md', 'utf8').matchAll(/^\| `([^`]+)` +\|/gm)].map(
    (m) => m[1],
  );
  const names = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
  expect(explained.filter((name) => name !== undefined && !name.startsWith('deb:')).sort()).toEqual(
    names.sort(),
  );
});

test('the lock file of npm names no registry', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved"/);
});
