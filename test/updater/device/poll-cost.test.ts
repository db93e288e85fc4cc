/**
 * What a poll with nothing new costs our own code, in instructions: the same number wherever it is counted, however busy the machine is. What it costs with
 * curl or wget, in time of the processor, bench/update measures on a machine.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { UPDATER_MODULE } from '../../../host/slipd/paths.ts';
import { scratchDirectory } from '../../builder/scratch.ts';
import { quickJs } from '../../host/quickjs.ts';

const directory = scratchDirectory();

/** Instructions of a program and its exit code, with a /run of its own in which the poll finds what it goes by. */
function count(poll: object | undefined, argv: readonly string[]): { instructions: number; code: number } {
  const log = join(directory, 'valgrind.log');
  const script = [
    'mount -t tmpfs none /run && mkdir -p /run/slipway/update || exit 99',
    'test -z "$1" || printf %s "$1" > /run/slipway/update/poll.json',
    'shift; "$@" >/dev/null 2>&1; exit $?',
  ].join('\n');
  const valgrind = ['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null', `--log-file=${log}`];
  const words = [
    '--mount',
    'sh',
    '-c',
    script,
    'sh',
    poll === undefined ? '' : JSON.stringify(poll),
    ...valgrind,
  ];
  let code = 0;
  try {
    execFileSync('unshare', [...words, ...argv], { stdio: 'ignore' });
  } catch (error) {
    code = (error as { status: number | null }).status ?? -1;
  }
  const text = execFileSync('cat', [log], { encoding: 'utf8' });
  return { instructions: Number(/Collected : (\d+)/.exec(text)?.[1]), code };
}

test.runIf(process.getuid?.() === 0)('a poll that finds the bytes of the last one', async () => {
  const mirror = join(directory, 'mirror');
  mkdirSync(mirror, { recursive: true });
  const timestamp = join(directory, 'stored.json');
  for (const path of [timestamp, join(mirror, 'timestamp.json')])
    writeFileSync(path, 'a timestamp'.padEnd(600));
  const poll = { mirrors: [mirror], proxy: null, ca: null, timestamp, pollMs: 3_600_000, followAt: 2 ** 32 };
  const qjs = await quickJs();
  const program = [...qjs, ...UPDATER_MODULE, 'dist/host/poll.js'];
  const empty = join(directory, 'empty.js');
  writeFileSync(empty, '');
  const interpreter = count(undefined, [...qjs, '-m', empty]);
  const nothingNew = count(poll, program);
  expect([interpreter.code, nothingNew.code]).toEqual([0, 0]);
  console.log(
    `a poll: ${(nothingNew.instructions / 1e6).toFixed(2)} million instructions, of which the interpreter alone ${(interpreter.instructions / 1e6).toFixed(2)}`,
  );
  expect(nothingNew.instructions).toBeGreaterThan(interpreter.instructions);
  expect(nothingNew.instructions).toBeLessThan(25e6);
  // Other bytes are the updater's work.
  writeFileSync(join(mirror, 'timestamp.json'), 'another timestamp'.padEnd(600));
  expect(count(poll, program).code).toBe(10);
});
