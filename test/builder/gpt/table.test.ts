import fc from 'fast-check';
import { truncate, writeFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { diskTable } from '../../../builder/disk/disk.ts';
import { derivedUuid, guidBytes, guidFromBytes } from '../../../builder/gpt/guid.ts';
import { GPT_HEAD_BYTES, decodeGpt, encodeGpt, type SectorSize } from '../../../builder/gpt/table.ts';
import { run } from '../../../builder/process/run.ts';
import { SlipwayError } from '../../../spec/error.ts';
import { PARTITIONS } from '../../../spec/layout.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();
const toolbox = await lockedToolbox();
const STATE_BYTES = 64 * 1024 * 1024;

function head(sectorSize: SectorSize): Buffer {
  const bytes = Buffer.alloc(GPT_HEAD_BYTES);
  const [primary] = encodeGpt(diskTable('amd64', 'test', sectorSize, STATE_BYTES));
  if (primary !== undefined) bytes.set(primary.bytes, primary.offset);
  return bytes;
}

describe.each([512, 4096] as const)('a partition table for sectors of %i bytes', (sectorSize) => {
  const table = diskTable('amd64', 'test', sectorSize, STATE_BYTES);

  test('passes sfdisk --verify, both copies, and shows it our layout', async () => {
    const disk = join(directory, `disk${sectorSize}`);
    await writeFile(disk, '');
    await truncate(disk, table.diskBytes);
    const file = await open(disk, 'r+');
    for (const { offset, bytes } of encodeGpt(table)) await file.write(bytes, 0, bytes.length, offset);
    await file.close();
    const sfdisk = [...toolbox.command('sfdisk'), '--sector-size', String(sectorSize)];
    const verified = await run([...sfdisk, '--verify', disk]);
    expect(verified.stdout.toString() + verified.stderr).toContain('No errors detected');
    const { partitiontable } = JSON.parse((await run([...sfdisk, '--json', disk])).stdout.toString()) as {
      partitiontable: {
        id: string;
        partitions: { name: string; start: number; size: number; type: string }[];
      };
    };
    expect(partitiontable.id.toLowerCase()).toBe(table.diskGuid);
    expect(
      partitiontable.partitions.map(({ name, start, size, type }) => ({
        name,
        offsetBytes: start * sectorSize,
        sizeBytes: size * sectorSize,
        typeGuid: type.toLowerCase(),
      })),
    ).toEqual(
      table.partitions.map(({ name, offsetBytes, sizeBytes, typeGuid }) => ({
        name,
        offsetBytes,
        sizeBytes,
        typeGuid,
      })),
    );
  });

  test('is read back as it was written', () => {
    expect(decodeGpt(head(sectorSize), table.diskBytes)).toEqual(table);
  });

  test('starts every partition on 4 MiB', () => {
    for (const { offsetBytes, sizeBytes } of table.partitions) {
      expect(offsetBytes % (4 * 1024 * 1024)).toBe(0);
      expect(sizeBytes % (4 * 1024 * 1024)).toBe(0);
    }
    expect(table.partitions.map(({ name }) => name)).toEqual(PARTITIONS.map(({ name }) => name));
  });
});

describe('a damaged partition table', () => {
  const { diskBytes } = diskTable('amd64', 'test', 512, STATE_BYTES);

  test.each([
    ['header', 512 + 56],
    ['entries', 1024 + 60],
  ])('is refused when a byte of its %s is flipped', (_, offset) => {
    const bytes = head(512);
    bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
    expect(() => decodeGpt(bytes, diskBytes)).toThrowError(expect.objectContaining({ code: 'gpt.invalid' }));
  });

  test('is refused when the disk is shorter than it says', () => {
    expect(() => decodeGpt(head(512), diskBytes / 2)).toThrowError(
      expect.objectContaining({ code: 'gpt.invalid' }),
    );
  });

  test('is none at all in zeros', () => {
    expect(decodeGpt(Buffer.alloc(GPT_HEAD_BYTES), diskBytes)).toBeUndefined();
  });

  test('of hostile bytes is read or refused, never more', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 512, max: 2048 }), fc.integer({ min: 0, max: 255 })), {
          maxLength: 16,
        }),
        fc.nat(GPT_HEAD_BYTES),
        (changes, length) => {
          const bytes = head(512).subarray(0, Math.max(length, 600));
          for (const [offset, value] of changes) if (offset < bytes.length) bytes[offset] = value;
          try {
            decodeGpt(bytes, diskBytes);
          } catch (error) {
            expect(error).toBeInstanceOf(SlipwayError);
          }
        },
      ),
    );
  });
});

describe('GUIDs', () => {
  test('have their first fields in little-endian order', () => {
    const guid = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
    expect(Buffer.from(guidBytes(guid)).toString('hex')).toBe('28732ac11ff8d211ba4b00a0c93ec93b');
    expect(guidFromBytes(guidBytes(guid))).toBe(guid);
    expect(() => guidBytes('c12a7328')).toThrow(RangeError);
  });

  test('that are derived are valid UUIDs, and differ where the words do', () => {
    const uuid = derivedUuid('disk', 'a');
    expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(derivedUuid('disk', 'a')).toBe(uuid);
    expect(derivedUuid('disk', 'b')).not.toBe(uuid);
    expect(derivedUuid('dis', 'ka')).not.toBe(uuid);
  });
});
