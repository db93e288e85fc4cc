import { describe, expect, test } from 'vitest';
import { parseMode } from '../../spec/quantities.ts';
import { parseDuration, parseSize } from '../../spec/units.ts';

describe('sizes are read as Compose does, in powers of 1024', () => {
  test.each([
    ['2b', 2],
    ['1024kb', 1024 ** 2],
    ['2048k', 2 * 1024 ** 2],
    ['300m', 300 * 1024 ** 2],
    ['1gb', 1024 ** 3],
    ['64MiB', 64 * 1024 ** 2],
    ['1.5g', 1.5 * 1024 ** 3],
    ['512', 512],
    ['64 MB', 64 * 1024 ** 2],
    ['', undefined],
    ['MB', undefined],
    ['-1', undefined],
    ['1x', undefined],
    ['9999999999t', undefined],
    ['1e3', undefined],
  ])('%j', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });
});

describe('durations are read as Compose does', () => {
  test.each([
    ['2.5s', 2500],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['2h32m', 9_120_000],
    ['5h34m56s', 20_096_000],
    ['500ms', 500],
    ['100us', 1],
    ['0s', 0],
    ['0', 0],
    ['10', undefined],
    ['-1s', undefined],
    ['1d', undefined],
    ['s', undefined],
    ['1s ', undefined],
  ])('%j', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });
});

test.each([
  ['0644', 0o644],
  ['0o644', 0o644],
  ['04755', 0o4755],
  ['01777', 0o1777],
  ['644', undefined],
  ['420', undefined],
  ['0888', undefined],
  ['0o12345', undefined],
  ['rw-r--r--', undefined],
])('file mode %j', (text, mode) => {
  expect(parseMode(text)).toBe(mode);
});
