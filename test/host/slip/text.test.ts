import { expect, test } from 'vitest';
import { parseArguments } from '../../../system/arguments.ts';
import { describe as describeStatus } from '../../../host/slip/commands/status.ts';
import { lastLines } from '../../../host/slip/commands/read-logs.ts';
import { formatBytes, formatDuration } from '../../../system/format.ts';
import { parseSince } from '../../../host/slip/since.ts';

test.each([
  [null, '-'],
  [0, '0 B'],
  [999, '999 B'],
  [1_500, '1.5 kB'],
  [99_960, '100 kB'],
  [999_600, '1.0 MB'],
  [47_300_000, '47.3 MB'],
  [8_000_000_000, '8.0 GB'],
])('%s bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test.each([
  [null, '-'],
  [400, '0s'],
  [61_000, '1m 1s'],
  [3_600_000, '1h'],
  [90_061_000, '1d 1h'],
])('%s ms are %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

const NOW = Date.parse('2026-01-31T12:00:00Z');
test.each([
  ['10m', '2026-01-31_11:50:00.00000'],
  ['1d', '2026-01-30_12:00:00.00000'],
  ['2026-01-01', '2026-01-01_00:00:00.00000'],
  ['2026-01-01T10:20Z', '2026-01-01_10:20:00.00000'],
  ['2026-01-01 10:20:30', '2026-01-01_10:20:30.00000'],
  ['yesterday', undefined],
  ['2026-13-01', undefined],
  ['', undefined],
])('--since %s is %s', (text, stamp) => {
  expect(parseSince(text, NOW)).toBe(stamp);
});

const FLAGS = [
  { name: 'follow', short: 'f', value: false },
  { name: 'tail', short: 'n', value: true },
];
test.each([
  [['-f', 'web'], { follow: 'yes' }, ['web']],
  [['web', '-n', '5'], { tail: '5' }, ['web']],
  [['--tail=5', '--', '-x'], { tail: '5' }, ['-x']],
])('%j', (argv, flags, words) => {
  const parsed = parseArguments(argv, FLAGS, null);
  expect(parsed).toEqual({ flags: new Map(Object.entries(flags)), words });
});

test('what follows the service belongs to the command', () => {
  const parsed = parseArguments(['-f', 'web', 'ls', '-n', '--', '-f'], FLAGS, 1);
  expect(parsed).toEqual({ flags: new Map([['follow', 'yes']]), words: ['web', 'ls', '-n', '--', '-f'] });
});

test.each([
  [['-x'], 'unknown option -x'],
  [['--tail'], '--tail needs a value'],
  [['--follow=no'], '--follow takes no value'],
])('%j: %s', (argv, message) => {
  expect(parseArguments(argv, FLAGS, null)).toBe(message);
});

test.each([
  ['a\nb\nc\n', 2, 'b\nc\n'],
  ['a\nb\nc\n', 9, 'a\nb\nc\n'],
  ['a\nb\nc\n', 3, 'a\nb\nc\n'],
  ['a\n', 1, 'a\n'],
  ['', 5, ''],
  ['a\nb\n', 0, ''],
])('of %j the last %i lines are %j', (text, count, expected) => {
  expect(Buffer.from(lastLines(Buffer.from(text), count)).toString()).toBe(expected);
});

test('the status reads well', () => {
  const page = describeStatus({
    format: '1.0',
    image: { name: 'minimal', version: '1.0.0', architecture: 'amd64' },
    rootHash: 'ab'.repeat(32),
    slot: 'a',
    boot: 'degraded',
    gatesHealthySinceMs: null,
    problems: ['gate ssh is not healthy: exit code 1'],
    watchdog: 'softdog',
    uptimeMs: 125_000,
    memory: { totalBytes: 256_000_000, availableBytes: 210_000_000 },
    services: [
      {
        name: 'ssh',
        type: 'service',
        gate: true,
        state: 'failing',
        health: 'none',
        restarts: 7,
        exitCode: 1,
        pid: null,
        memoryBytes: null,
        uptimeMs: null,
        reason: 'exit code 1',
      },
      {
        name: 'time',
        type: 'service',
        gate: false,
        state: 'running',
        health: 'healthy',
        restarts: 0,
        exitCode: null,
        pid: 9,
        memoryBytes: 2_400_000,
        uptimeMs: 120_000,
        reason: null,
      },
    ],
  });
  expect(page).toBe(`image     minimal 1.0.0 (amd64)
slot      a, root hash abababababababab...
boot      degraded
uptime    2m 5s
memory    46.0 MB of 256 MB used
watchdog  softdog
problems  gate ssh is not healthy: exit code 1

SERVICE  STATE    HEALTH   RESTARTS  MEMORY  UPTIME
ssh*     failing  -               7       -  -       exit code 1
time     running  healthy         0  2.4 MB  2m`);
});
