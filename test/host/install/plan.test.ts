import { expect, test } from 'vitest';
import type { InstallDisk, InstallFacts } from '../../../host/install/facts.ts';
import { planInstall } from '../../../host/install/plan.ts';
import { LEAST_DISK_BYTES } from '../../../host/install/table.ts';
import { parseDiskChoice, type DiskChoice } from '../../../spec/disk-choice.ts';

const disk = (change: Partial<InstallDisk>): InstallDisk => ({
  name: 'sda',
  sizeBytes: 64e9,
  sectorBytes: 512,
  readOnly: false,
  removable: false,
  serial: '',
  model: 'Disk',
  inUse: false,
  hasData: false,
  ...change,
});
const DISKS = [
  disk({ name: 'sda', sizeBytes: 480_103_981_056, serial: 'S1' }),
  disk({ name: 'sdb', sizeBytes: 64e9, serial: 'S2', hasData: true }),
  disk({ name: 'sdc', sizeBytes: 8e9, removable: true }),
  disk({ name: 'sdd', sizeBytes: 1e9 }),
  disk({ name: 'sde', sizeBytes: 900e9, inUse: true }),
];
const FACTS: InstallFacts = {
  image: { name: 'minimal', version: '1.0.0', architecture: 'amd64' },
  architecture: 'amd64',
  medium: {
    root: '/dev/dm-3',
    table: '0 8 verity 1 /dev/dm-0 /dev/dm-1 4096',
    verity: '/dev/dm-1',
    esp: '/dev/dm-2',
  },
  disks: DISKS,
};
const choice = (text: string): DiskChoice => {
  const parsed = parseDiskChoice(text);
  if (parsed === undefined) throw new Error(`${text} is no choice`);
  return parsed;
};

test.each([
  ['/dev/sda', 'sda'],
  ['serial:S1', 'sda'],
  ['size:480GB', 'sda'],
  ['largest', 'sda'],
])('%s is %s', (text, name) => {
  expect(planInstall(FACTS, choice(text), 'never').disk.name).toBe(name);
});

test.each([
  // The smallest that can hold it: neither the stick nor what is too small.
  ['smallest', /sdb.*holds data/],
  ['/dev/sdb', /sdb.*holds data/],
  ['/dev/sdd', /sdd.*are needed/],
  ['/dev/sde', /sde.*in use/],
  ['/dev/sdx', /no such disk/],
  ['size:3TB', /no such disk/],
])('%s is refused', (text, message) => {
  expect(() => planInstall(FACTS, choice(text), 'never')).toThrow(message);
});

test('data goes when it may, and only then', () => {
  expect(planInstall(FACTS, choice('/dev/sdb'), 'wipe').lines.join('\n')).toMatch(/all of it is lost/);
});

test('two disks that fit are asked about', () => {
  const twins = { ...FACTS, disks: [disk({ name: 'sda' }), disk({ name: 'sdb' })] };
  expect(() => planInstall(twins, choice('largest'), 'wipe')).toThrow(/several disks.*sda.*sdb/);
});

test('a machine that runs from its own disk installs nothing', () => {
  expect(() => planInstall({ ...FACTS, medium: undefined }, choice('/dev/sda'), 'wipe')).toThrow(/medium/);
});

test('the least disk', () => {
  const exact = { ...FACTS, disks: [disk({ sizeBytes: LEAST_DISK_BYTES })] };
  expect(planInstall(exact, choice('/dev/sda'), 'never').disk.name).toBe('sda');
});
