/** The simulated ESP against readers that know nothing of its writer: that of the tests, and the builder's. */
import { describe, expect, test } from 'vitest';
import { readFat } from '../../../builder/esp/read.ts';
import { fatShape } from './fat-shape.ts';
import { openFat, type FirmwareFat } from './fat-reader.ts';
import { emptyMedium, flushSectors, landed, readSector, writeAllInodes, type Medium } from './medium.ts';
import {
  appendFile,
  createFile,
  formatFat,
  removeFile,
  renameFile,
  syncDirectory,
  syncFile,
  type Vfat,
} from './vfat.ts';
import { putFile } from './world.ts';

const CLUSTERS = 200;

function filled(): Vfat {
  const fat = formatFat(emptyMedium(), CLUSTERS);
  putFile(fat, 'EFI/Linux/minimal_1.0.0.efi', Buffer.alloc(9000, 'a'));
  putFile(fat, 'EFI/Linux/minimal_0.9.0.efi', Buffer.alloc(5000, 'b'));
  putFile(fat, 'EFI/SLIPWAY/UKI.NEW', Buffer.alloc(4096, 'c'));
  removeFile(fat, 'EFI/Linux/minimal_0.9.0.efi');
  putFile(fat, 'EFI/Linux/a name that is much longer than one record has room for.efi', Buffer.alloc(3, 'd'));
  createFile(fat, 'EFI/Linux/minimal_1.1.0+3.efi');
  renameFile(fat, 'EFI/SLIPWAY/UKI.NEW', 'EFI/Linux/minimal_1.1.0+3.efi');
  for (let index = 0; index < 60; index++)
    putFile(fat, `EFI/many/file number ${index}.txt`, Buffer.from(String(index)));
  return fat;
}

function flushAll(medium: Medium): void {
  writeAllInodes(medium);
  flushSectors(medium, [...medium.pending.keys()]);
}

function bytesOf(medium: Medium): Buffer {
  const { dataStart, clusters } = fatShape(CLUSTERS);
  return Buffer.concat(
    Array.from({ length: dataStart + clusters * 8 }, (_, index) => readSector(medium, index)),
  );
}

function walk(fat: FirmwareFat, path = ''): readonly (readonly [string, string])[] {
  return (fat.list(path) ?? []).flatMap((file) => {
    const inner = path === '' ? file.name : `${path}/${file.name}`;
    return file.directory ? walk(fat, inner) : [[inner, fat.content(file)!.toString()] as const];
  });
}

describe('the file system that vfat.ts writes', () => {
  test('reads the same by both readers, and has no lost and no shared cluster', async () => {
    const { medium } = filled();
    const image = bytesOf(medium);
    const builders = await readFat({
      sizeBytes: image.length,
      read: (offset, length) => Promise.resolve(image.subarray(offset, offset + length)),
    });
    const reader = openFat((sector) => readSector(medium, sector));
    const found = walk(reader);
    expect(found).toEqual(
      await Promise.all(builders.map(async (file) => [file.path, (await file.read()).toString()] as const)),
    );
    expect(found).toHaveLength(63);
    expect(reader.lostClusters()).toBe(0);
    expect(reader.crossLinked()).toEqual([]);
  });

  test('a rename onto an empty name changes one sector until the old name goes', () => {
    const fat = filled();
    createFile(fat, 'EFI/Linux/minimal_1.2.0+3.efi');
    putFile(fat, 'EFI/SLIPWAY/UKI.NEW', Buffer.alloc(4096, 'e'));
    for (const path of ['EFI/Linux', 'EFI/SLIPWAY']) syncDirectory(fat, path);
    syncFile(fat, 'EFI/SLIPWAY/UKI.NEW');
    flushAll(fat.medium);
    renameFile(fat, 'EFI/SLIPWAY/UKI.NEW', 'EFI/Linux/minimal_1.2.0+3.efi');
    expect(fat.medium.pending.size).toBe(2);
  });

  test('a place that only an inode knows is not flushed with its directory', () => {
    const fat = filled();
    flushAll(fat.medium);
    createFile(fat, 'EFI/Linux/x.efi');
    appendFile(fat, 'EFI/Linux/x.efi', Buffer.alloc(100, 'x'));
    syncDirectory(fat, 'EFI/Linux');
    const after = (medium: Medium): number | undefined =>
      openFat((sector) => readSector(medium, sector))
        .list('EFI/Linux')
        ?.find(({ name }) => name === 'x.efi')?.sizeBytes;
    expect(after(landed(fat.medium, () => 0))).toBe(0);
    syncFile(fat, 'EFI/Linux/x.efi');
    expect(after(landed(fat.medium, () => 0))).toBe(100);
  });
});
