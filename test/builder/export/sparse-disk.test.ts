import { open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  CHUNK_BYTES,
  dataRegions,
  openSparseDisk,
  regionBytes,
  type SparseDisk,
} from '../../../builder/export/sparse-disk.ts';
import { lockedToolbox } from '../locked-toolbox.ts';
import { scratchDirectory } from '../scratch.ts';

const directory = scratchDirectory();
const SIZE = 200 * CHUNK_BYTES + 512;
/** Where there is a byte: at both ends, across a chunk's border, and written zeros in between. */
const BYTES = [0, 7 * CHUNK_BYTES - 1, 7 * CHUNK_BYTES, 20 * CHUNK_BYTES + 5, SIZE - 1];

describe('a sparse disk', async () => {
  const path = await makeDisk();

  test('gives the same chunks whether the file system tells of its holes or not', async () => {
    const whole = await openSparseDisk(path);
    const mapped = await openSparseDisk(path, await lockedToolbox());
    const expected = [0, 6, 7, 20, 200].map((chunk) => chunk * CHUNK_BYTES);
    expect(await offsets(whole)).toEqual(expected);
    expect(await offsets(mapped)).toEqual(expected);
    expect([whole.sizeBytes, mapped.sizeBytes]).toEqual([SIZE, SIZE]);
  });

  test('is read whole where the toolbox cannot tell', async () => {
    const broken = { ...(await lockedToolbox()), command: () => ['false'] };
    expect(await offsets(await openSparseDisk(path, broken))).toHaveLength(5);
  });

  test('has regions that, with zeros between them, are the file', async () => {
    const disk = await openSparseDisk(path);
    for (const gap of [0, 4 * CHUNK_BYTES, SIZE]) {
      const made = Buffer.alloc(SIZE);
      for (const region of await dataRegions(disk, gap)) {
        let at = region.offset;
        for await (const bytes of regionBytes(disk, region)) {
          made.set(bytes, at);
          at += bytes.length;
        }
        expect(at).toBe(region.offset + region.sizeBytes);
      }
      expect(made.equals(await readFile(path))).toBe(true);
    }
    expect((await dataRegions(disk)).map(({ sizeBytes }) => sizeBytes)).toEqual([
      CHUNK_BYTES,
      2 * CHUNK_BYTES,
      CHUNK_BYTES,
      512,
    ]);
    expect(await dataRegions(disk, SIZE)).toEqual([{ offset: 0, sizeBytes: SIZE }]);
  });
});

async function makeDisk(): Promise<string> {
  const path = join(directory, 'disk.raw');
  await writeFile(path, '');
  const file = await open(path, 'r+');
  await file.truncate(SIZE);
  await file.write(Buffer.alloc(3 * CHUNK_BYTES), 0, 3 * CHUNK_BYTES, 40 * CHUNK_BYTES);
  for (const place of BYTES) await file.write(Buffer.from([1]), 0, 1, place);
  await file.close();
  return path;
}

async function offsets(disk: SparseDisk): Promise<number[]> {
  const found: number[] = [];
  for await (const { offset, bytes } of disk.chunks()) {
    expect(bytes).toHaveLength(CHUNK_BYTES);
    found.push(offset);
  }
  return found;
}
