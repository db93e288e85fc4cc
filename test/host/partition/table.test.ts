/** The machine's own partition table, judged by sfdisk, and the same under QuickJS. */
import { closeSync, ftruncateSync, openSync, readSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskTable } from '../../../builder/disk/disk.ts';
import { encodeGpt } from '../../../builder/gpt/table.ts';
import { run } from '../../../builder/process/run.ts';
import { adaptTable, headBytes, tailBytes } from '../../../host/partition/table.ts';
import { lockedToolbox } from '../../builder/locked-toolbox.ts';
import { quickJs } from '../quickjs.ts';
import { scratchDirectory } from '../../builder/scratch.ts';

const scratch = scratchDirectory();
const GUIDS = { disk: 'c0ffee00-0000-4000-8000-000000000001', esp: 'c0ffee00-0000-4000-8000-000000000002' };
const MIB = 1024 * 1024;

function imageDisk(
  name: string,
  sectorSize: 512 | 4096,
  grownBytes: number,
): { path: string; diskBytes: number } {
  const table = diskTable('amd64', 'test 1.0 abc', sectorSize, 64 * MIB);
  const path = join(scratch, name);
  const file = openSync(path, 'w');
  ftruncateSync(file, table.diskBytes);
  for (const { offset, bytes } of encodeGpt(table)) writeSync(file, bytes, 0, bytes.length, offset);
  closeSync(file);
  const diskBytes = table.diskBytes + grownBytes;
  truncateSync(path, diskBytes);
  return { path, diskBytes };
}

function readRange(path: string, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const file = openSync(path, 'r');
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

function adapt(
  path: string,
  diskBytes: number,
  sectorBytes: number,
  tear?: 'primary' | 'both',
): ReturnType<typeof adaptTable> {
  const head = Uint8Array.from(readRange(path, 0, headBytes(sectorBytes)));
  const tail = Uint8Array.from(readRange(path, diskBytes - tailBytes(sectorBytes), tailBytes(sectorBytes)));
  if (tear !== undefined) head[sectorBytes + 60] = (head[sectorBytes + 60] ?? 0) ^ 1;
  if (tear === 'both') tail[tail.length - sectorBytes + 60] = (tail[tail.length - sectorBytes + 60] ?? 0) ^ 1;
  return adaptTable({ diskBytes, sectorBytes, head, tail, newGuids: GUIDS });
}

interface Dump {
  readonly partitiontable: {
    readonly id: string;
    readonly lastlba: number;
    readonly partitions: readonly {
      readonly name: string;
      readonly start: number;
      readonly size: number;
      readonly uuid: string;
    }[];
  };
}

async function sfdisk(path: string, sectorSize: number): Promise<Dump['partitiontable']> {
  const program = (await lockedToolbox()).command('sfdisk');
  const { stderr } = await run([...program, '--sector-size', String(sectorSize), '--verify', path]);
  expect(stderr).not.toMatch(/corrupt|mismatch|not at the end/i);
  const { stdout } = await run([...program, '--sector-size', String(sectorSize), '--json', path]);
  return (JSON.parse(stdout.toString('utf8')) as Dump).partitiontable;
}

describe.each([512, 4096] as const)('%i-byte sectors', (sectorSize) => {
  test.each([
    ['grown by 1 GiB and some', 1024 * MIB + 12 * sectorSize],
    ['of the image’s own size', 0],
  ])('a disk %s: state reaches its end, the rest stays, GUIDs are new; sfdisk agrees', async (_, grown) => {
    const { path, diskBytes } = imageDisk(`grown-${sectorSize}-${grown}`, sectorSize, grown);
    const before = diskTable('amd64', 'test 1.0 abc', sectorSize, 64 * MIB).partitions;
    const result = adapt(path, diskBytes, sectorSize);
    if (!result.ok) throw new Error(result.problem);
    const file = openSync(path, 'r+');
    writeSync(file, result.head, 0, result.head.length, 0);
    writeSync(file, result.tail, 0, result.tail.length, diskBytes - result.tail.length);
    closeSync(file);

    const table = await sfdisk(path, sectorSize);
    expect(table.id.toLowerCase()).toBe(GUIDS.disk);
    expect(table.partitions.map(({ name }) => name)).toEqual(before.map(({ name }) => name));
    expect(table.partitions.map(({ start }) => start * sectorSize)).toEqual(before.map((p) => p.offsetBytes));
    expect(table.partitions[0]?.uuid.toLowerCase()).toBe(GUIDS.esp);
    expect(table.partitions[1]?.uuid.toLowerCase()).toBe(before[1]?.guid);
    const state = table.partitions.at(-1);
    const end = ((state?.start ?? 0) + (state?.size ?? 0)) * sectorSize;
    expect(end).toBeLessThanOrEqual((table.lastlba + 1) * sectorSize);
    expect(diskBytes - end).toBeLessThan(8 * MIB);
  });
});

test('a torn primary is replaced from the backup', () => {
  const { path, diskBytes } = imageDisk('torn', 512, 0);
  const whole = adapt(path, diskBytes, 512);
  expect(adapt(path, diskBytes, 512, 'primary')).toEqual(whole);
});

test('where no copy is whole, or the disk has shrunk, nothing is changed', () => {
  const { path, diskBytes } = imageDisk('broken', 512, 0);
  expect(adapt(path, diskBytes, 512, 'both')).toEqual({
    ok: false,
    problem: 'neither copy of the partition table is whole',
  });
  expect(adapt(path, diskBytes - 32 * MIB, 512)).toEqual({
    ok: false,
    problem: 'the disk is smaller than its partitions',
  });
});

test('the program gives the same bytes under QuickJS', async () => {
  const { path, diskBytes } = imageDisk('quickjs', 512, 256 * MIB);
  const result = adapt(path, diskBytes, 512);
  if (!result.ok) throw new Error(result.problem);
  await run([...(await quickJs()), '-m', 'dist/host/partition.js', path, '512', GUIDS.disk, GUIDS.esp]);
  expect(readRange(path, 0, result.head.length).equals(result.head)).toBe(true);
  expect(readRange(path, diskBytes - result.tail.length, result.tail.length).equals(result.tail)).toBe(true);
});
