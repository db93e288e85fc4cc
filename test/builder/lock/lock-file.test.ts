import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  formatLock,
  lockPath,
  parseLock,
  readLock,
  writeLock,
  type LockedPackage,
  type LockFile,
} from '../../../builder/lock/lock-file.ts';
import { DiagnosticsError, formatDiagnostic } from '../../../spec/diagnostic.ts';

function locked(name: string, depends: string[] = []): LockedPackage {
  return {
    name,
    version: '1.0',
    architecture: 'amd64',
    suite: 'trixie',
    filename: `pool/main/${name}_1.0_amd64.deb`,
    sizeBytes: 1,
    sha256: 'a'.repeat(64),
    depends,
    source: name,
  };
}

const LOCK: LockFile = {
  format: '1.0',
  architecture: 'amd64',
  suite: 'trixie',
  epoch: 1,
  requested: { packages: ['zsh'], kernel: 'linux', kernelResolved: 'linux' },
  packages: [locked('zsh', ['libc6']), locked('libc6'), locked('linux')],
  tools: [],
  images: [],
};
const TEXT = formatLock(LOCK);

function faults(text: string): string[] {
  try {
    parseLock('x.lock', text);
  } catch (error) {
    if (error instanceof DiagnosticsError) return error.diagnostics.map(formatDiagnostic);
    throw error;
  }
  return [];
}

test('written sorted, read back the same', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-lock-'));
  try {
    const path = join(folder, 'x.lock');
    expect(await readLock(path)).toBeUndefined();
    await writeLock(path, LOCK);
    const read = await readLock(path);
    expect(read?.packages.map(({ name }) => name)).toEqual(['libc6', 'linux', 'zsh']);
    expect(read).toEqual(JSON.parse(TEXT));
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('it stands beside the image definition', () => {
  const path = (file: string, architecture: 'amd64' | 'arm64' = 'amd64'): string =>
    lockPath({ file, architecture });
  expect(path('/images/minimal.yaml')).toBe('/images/minimal.lock');
  expect(path('/images/minimal.yml')).toBe('/images/minimal.lock');
  expect(path('/images/minimal.yaml', 'arm64')).toBe('/images/minimal.arm64.lock');
});

describe('damaged lock files are told with file, line and column', () => {
  test.each([
    [
      'a comma too many',
      TEXT.replace('"suite": "trixie",\n  "epoch"', '"suite": "trixie",,\n  "epoch"'),
      /^x\.lock:4:21: error: this is not JSON: Expected/,
    ],
    ['cut off', TEXT.slice(0, 300), /^x\.lock:\d+:\d+: error: this is not JSON/],
    ['empty', '', /^x\.lock:1:1: error: this is not JSON/],
    ['no JSON at all', 'hello', /^x\.lock:1:1: error: this is not JSON/],
    [
      'a merge conflict',
      TEXT.replace('  "suite"', '<<<<<<< HEAD\n  "suite"'),
      /^x\.lock:4:1: error: this is a merge conflict/,
    ],
    [
      'a hash too short',
      TEXT.replace('a'.repeat(64), 'abc'),
      /^x\.lock:21:17: error: packages\[0\]\.sha256: expected 64 hexadecimal digits/,
    ],
    [
      'a field of the wrong type',
      TEXT.replace('"sizeBytes": 1', '"sizeBytes": "1"'),
      /^x\.lock:20:20: error: packages\[0\]\.sizeBytes: Invalid input/,
    ],
    [
      'a path that leaves the mirror',
      TEXT.replace('pool/main/libc6', '../libc6'),
      /error: packages\[0\]\.filename: expected a path below the mirror/,
    ],
    [
      'a package locked twice',
      TEXT.replace('"name": "linux"', '"name": "libc6"'),
      /error: packages\[1\]\.name: libc6 is locked twice/,
    ],
    [
      'a library that is not locked',
      TEXT.replace('        "libc6"', '        "libc7"'),
      /error: packages\[2\]\.depends\[0\]: libc7 is not locked/,
    ],
    [
      'a version of Slipway that is not out yet',
      TEXT.replace('"format": "1.0"', '"format": "2.0"'),
      /^x\.lock:2:13: error: format 2\.0 is not known/,
    ],
  ])('%s', (_, text, expected) => {
    const [first, ...others] = faults(text);
    expect(first).toMatch(expected);
    expect(first).toContain('slipway lock');
    expect(others.length).toBeLessThan(20);
  });
});

test('a newer minor version is read, and what it adds ignored', () => {
  const newer = TEXT.replace('"format": "1.0"', '"format": "1.7",\n  "added": {}');
  expect(parseLock('x.lock', newer)).toEqual(JSON.parse(TEXT));
});
