import { describe, expect, test } from 'vitest';
import { chooseDisk, describeDisk, parseDiskChoice, type DiskCandidate } from '../../spec/disk-choice.ts';

const disk = (name: string, sizeBytes: number, more: Partial<DiskCandidate> = {}): DiskCandidate => ({
  ...{ name, sizeBytes, removable: false, serial: '', model: '' },
  ...more,
});
const DISKS = [
  disk('sda', 480_103_981_056, { serial: 'S1', model: 'Fast Disk' }),
  disk('sdb', 64e9, { serial: 'S2' }),
  disk('sdc', 8e9, { removable: true }),
  disk('sdd', 1e9),
  disk('taken', 900e9),
];
const choose = (text: string): string => {
  const choice = parseDiskChoice(text);
  if (choice === undefined) throw new Error(`${text} is no choice`);
  return chooseDisk(DISKS, choice, { isFree: ({ name }) => name !== 'taken', leastBytes: 4e9 }).name;
};

describe('a disk', () => {
  test.each([
    ['/dev/sdb', 'sdb'],
    // Whoever names one means it: what speaks against it is said of it.
    ['/dev/taken', 'taken'],
    ['serial:S1', 'sda'],
    ['size:480GB', 'sda'],
    ['size:447GiB', 'sda'],
    // Neither the stick nor what is too small.
    ['smallest', 'sdb'],
    ['largest', 'sda'],
  ])('%s is %s', (text, name) => {
    expect(choose(text)).toBe(name);
  });

  test.each(['/dev/sdx', 'serial:S9', 'size:3TB', 'size:900GB'])('%s: there is none', (text) => {
    expect(() => choose(text)).toThrow(`there is no such disk: ${text.startsWith('size') ? 'size:' : text}`);
  });

  test('two that fit are asked about', () => {
    const twins = [disk('sda', 64e9), disk('sdb', 64e9)];
    const rules = { isFree: () => true, leastBytes: 0 };
    expect(() => chooseDisk(twins, { by: 'largest' }, rules)).toThrow(/several disks.*sda.*sdb/);
  });

  test('is described', () => {
    expect(DISKS.map(describeDisk).slice(0, 3)).toEqual([
      '/dev/sda (480.1 GB, Fast Disk, serial S1)',
      '/dev/sdb (64.0 GB, serial S2)',
      '/dev/sdc (8.0 GB)',
    ]);
  });
});

test.each(['', 'sda', '/dev/../sda', 'size:', 'size:x', 'serial:', '/dev/mapper/a b'])(
  '%j names no disk',
  (text) => {
    expect(parseDiskChoice(text)).toBeUndefined();
  },
);
