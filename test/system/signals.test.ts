import { constants } from 'node:os';
import { expect, test } from 'vitest';
import { signalName, signalNumber } from '../../system/signals.ts';

test('names and numbers are those of Linux', () => {
  for (const [name, number] of Object.entries(constants.signals))
    expect(signalNumber(name), name).toBe(number);
  expect([
    signalNumber('term'),
    signalNumber('9'),
    signalNumber('SIGRTMIN+3'),
    signalNumber('RTMAX-1'),
  ]).toEqual([15, 9, 37, 63]);
  expect([signalNumber('SIGNO'), signalNumber('0'), signalNumber('65'), signalNumber('SIGRTMIN-1')]).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
  ]);
  expect([signalName(9), signalName(40)]).toEqual(['SIGKILL', 'signal 40']);
});
