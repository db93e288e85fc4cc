import { expect, test } from 'vitest';
import { consoleTail, plainConsole, scanConsole } from '../../lab/console.ts';

test.each([
  ['panic', '[    1.0] Kernel panic - not syncing: Attempted to kill init!'],
  ['oops', '[    1.0] BUG: unable to handle page fault for address: 0'],
  ['oops', '[    1.0] Oops: general protection fault, probably for non-canonical address'],
  ['out-of-memory', '[    1.0] Out of memory: Killed process 12 (sshd)'],
  ['out-of-memory', '[    1.0] Memory cgroup out of memory: Killed process 12 (busybox)'],
  ['segfault', '[    1.0] qjs[12]: segfault at 0 ip 0 sp 0 error 4'],
  ['file-system', '[    1.0] device-mapper: verity: 254:0: data block 17 is corrupted'],
])('%s is found in %s', (kind, line) => {
  expect(scanConsole(`quiet\r\n${line}\r\n`)).toEqual([{ kind, line: 2, text: line }]);
});

test('a usual boot has no findings', () => {
  const text = [
    'EFI stub: UEFI Secure Boot is enabled.',
    '[    0.1] tsc: Unable to calibrate against PIT',
    '[    3.8] rcu: INFO: rcu_preempt self-detected stall on CPU',
    'slipway: the partition table of vda is being adapted',
  ].join('\n');
  expect(scanConsole(text)).toEqual([]);
});

test('what firmware draws with is taken away', () => {
  expect(plainConsole('\x1b[2J\x1b[01;01H\x1b[=3hBdsDxe: loading\r\n')).toBe('BdsDxe: loading\n');
  expect(consoleTail('one\r\n\r\n\x1b[2J\r\ntwo\r\nthree\r\n', 2)).toBe('two\nthree');
});
