/** Media as real tools make them, read by our own readers; then the same, damaged. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openFat } from '../../../../../host/provision/source/medium/fat.ts';
import { openIso9660 } from '../../../../../host/provision/source/medium/iso9660.ts';
import { openUdf } from '../../../../../host/provision/source/medium/udf.ts';
import { damaged, type ReadBytes, type Volume } from '../../../../../host/provision/source/medium/bytes.ts';
import { SlipwayError } from '../../../../../spec/error.ts';
import { scratchDirectory } from '../../../../builder/scratch.ts';
import { makeDisc, makeFat, type DiscMaker } from '../seed-images.ts';

const directory = scratchDirectory();
const FILES = {
  'user-data': '#cloud-config\nhostname: a\n',
  'meta-data': '',
  'network-config': 'version: 2\n'.repeat(2000),
  'openstack/latest/meta_data.json': '{"uuid": "u"}',
  'openstack/latest/user_data': Buffer.from(Array.from({ length: 70_000 }, (_, index) => (index * 7) & 0xff)),
};

type Open = (read: ReadBytes, sizeBytes: number) => Volume | undefined;

function open(opener: Open, bytes: Uint8Array): Volume | undefined {
  return opener((offset, length) => {
    if (offset < 0 || offset + length > bytes.length) throw damaged('it points behind its end');
    return bytes.slice(offset, offset + length);
  }, bytes.length);
}

function expectFiles(volume: Volume | undefined): void {
  for (const [name, content] of Object.entries(FILES))
    expect(Buffer.from(volume?.file(name) ?? 'missing').equals(Buffer.from(content)), name).toBe(true);
  expect(volume?.file('vendor-data')).toBeUndefined();
  expect(volume?.file('openstack/2012-08-10/user_data')).toBeUndefined();
  expect(volume?.file('openstack/latest')).toBeUndefined();
  expect(volume?.file('user-data/x')).toBeUndefined();
}

test.each<DiscMaker>(['genisoimage', 'xorriso', 'genisoimage -joliet', 'genisoimage -rock'])(
  'a disc by %s',
  (maker) => {
    const image = readFileSync(makeDisc(join(directory, `${maker}.iso`), 'cidata', FILES, maker));
    const volume = open(openIso9660, image);
    expect(volume?.labels).toEqual(['cidata']);
    expectFiles(volume);
  },
);

test('a disc with UDF alone, as Azure hands one over', () => {
  const image = readFileSync(makeDisc(join(directory, 'udf.iso'), 'rd_rdfe', FILES, 'genisoimage -udf'));
  const volume = open(openUdf, image);
  expect(volume?.labels).toEqual(['rd_rdfe']);
  expectFiles(volume);
});

test.each([
  { bits: 12 as const, sizeBytes: 1_474_560, sectorBytes: 512 },
  { bits: 16 as const, sizeBytes: 16 * 1024 * 1024, sectorBytes: 512 },
  { bits: 32 as const, sizeBytes: 64 * 1024 * 1024, sectorBytes: 512 },
  { bits: 12 as const, sizeBytes: 8 * 1024 * 1024, sectorBytes: 4096 },
])('a FAT$bits file system with sectors of $sectorBytes bytes', (options) => {
  const name = `fat${options.bits}-${options.sectorBytes}.img`;
  const image = readFileSync(makeFat(join(directory, name), 'CIDATA', FILES, options));
  const volume = open(openFat, image);
  expect(volume?.labels).toContain('CIDATA');
  expectFiles(volume);
});

test('the label in the boot sector counts, too (LABEL_FATBOOT)', () => {
  const path = makeFat(join(directory, 'two.img'), 'cidata', { 'user-data': 'x' });
  const bytes = readFileSync(path);
  // The root directory's entry, renamed as some tools do without touching the boot sector.
  const at = bytes.indexOf('cidata     \x08', 0, 'latin1');
  expect(at).toBeGreaterThan(512);
  bytes.write('SOMETHING  ', at, 'latin1');
  expect(open(openFat, bytes)?.labels).toEqual(['SOMETHING', 'cidata']);
});

test('a file beyond 1 MiB is refused by its size, before it is read', () => {
  const large = { 'user-data': Buffer.alloc(1024 * 1024 + 1, 'a') };
  const disc = readFileSync(makeDisc(join(directory, 'large.iso'), 'cidata', large));
  expect(() => open(openIso9660, disc)?.file('user-data')).toThrow('larger than 1 MiB');
  const fat = readFileSync(makeFat(join(directory, 'large.img'), 'cidata', large, { sizeBytes: 4 << 20 }));
  expect(() => open(openFat, fat)?.file('user-data')).toThrow('larger than 1 MiB');
});

test('a chain of clusters that runs in a circle ends', () => {
  const path = makeFat(join(directory, 'circle.img'), 'cidata', FILES, { bits: 16, sizeBytes: 16 << 20 });
  const bytes = readFileSync(path);
  // All of the first table says: back to cluster 2.
  const reserved = bytes.readUInt16LE(14) * 512;
  for (let at = 4; at < bytes.readUInt16LE(22) * 512; at += 2) bytes.writeUInt16LE(2, reserved + at);
  const volume = open(openFat, bytes);
  expect(volume?.file('network-config')).toHaveLength(FILES['network-config'].length);
  expect(volume?.file('openstack/latest/nothing')).toBeUndefined();
});

describe('whatever is on it, a medium is read, passed over, or refused', () => {
  const small = { 'user-data': 'x'.repeat(5000), 'openstack/latest/user_data': 'y' };
  const cases: [string, Open, () => Buffer][] = [
    ['iso9660', openIso9660, () => readFileSync(makeDisc(join(directory, 'f.iso'), 'cidata', small))],
    ['udf', openUdf, () => readFileSync(makeDisc(join(directory, 'u.iso'), 'x', small, 'genisoimage -udf'))],
    ['fat', openFat, () => readFileSync(makeFat(join(directory, 'f.img'), 'cidata', small))],
  ];
  test.each(cases)('%s', (_name, opener, make) => {
    const image = make();
    // Only what steers: tables, directories, descriptors.
    const used = [...image.subarray(0, 600_000).keys()].filter((at) => image[at] !== 0 && image[at] !== 0x78);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: used.length - 1 }), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.boolean(),
        (edits, cut) => {
          const bytes = Buffer.from(cut ? image.subarray(0, 300_000) : image);
          for (const [index, value] of edits) {
            const at = used[index] ?? 0;
            if (at < bytes.length) bytes[at] = value;
          }
          try {
            const volume = open(opener, bytes);
            volume?.file('user-data');
            volume?.file('openstack/latest/user_data');
          } catch (error) {
            expect(error).toBeInstanceOf(SlipwayError);
          }
        },
      ),
      { numRuns: 150 },
    );
  });
  test('noise', () => {
    const noise = Buffer.alloc(600_000);
    for (let at = 0; at < noise.length; at++) noise[at] = (at * 2_654_435_761) >>> 24;
    writeFileSync(join(directory, 'noise'), noise);
    for (const opener of [openIso9660, openUdf, openFat]) expect(open(opener, noise)).toBeUndefined();
  });
});
