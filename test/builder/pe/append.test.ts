import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { appendSections } from '../../../builder/pe/append.ts';
import { parsePe, sectionData } from '../../../builder/pe/parse.ts';
import { lockedToolbox } from '../locked-toolbox.ts';

const stub = await readFile((await lockedToolbox()).file('/usr/lib/systemd/boot/efi/linuxx64.efi.stub'));
const section = (name: string, size: number, virtualSize?: number) => ({
  name,
  data: Buffer.alloc(size, name),
  kind: 'data' as const,
  ...(virtualSize === undefined ? {} : { virtualSize }),
});

describe('adding sections', () => {
  test('puts each on SectionAlignment in memory, without overlap and without gaps in the file', () => {
    const pe = parsePe(
      appendSections(stub, [section('.a', 1), section('.b', 5000, 9000), section('.c', 4096)]),
    );
    let memoryEnd = 0;
    let fileEnd = pe.sizeOfHeaders;
    for (const placed of pe.sections) {
      expect(placed.virtualAddress % 0x1000).toBe(0);
      expect(placed.rawOffset % 0x200).toBe(0);
      expect(placed.virtualAddress).toBeGreaterThanOrEqual(memoryEnd);
      expect(placed.rawOffset).toBe(fileEnd);
      memoryEnd = placed.virtualAddress + placed.virtualSize;
      fileEnd = placed.rawOffset + placed.rawSize;
    }
    expect(fileEnd).toBe(pe.bytes.length);
    expect(pe.sizeOfImage).toBe(Math.ceil(memoryEnd / 0x1000) * 0x1000);
    expect(pe.sections.at(-2)).toMatchObject({ name: '.b', virtualSize: 9000 });
    expect(Buffer.from(sectionData(pe, '.b') ?? []).subarray(0, 5000)).toEqual(Buffer.alloc(5000, '.b'));
  });

  test('zeroes time stamp and checksum', () => {
    const pe = parsePe(appendSections(stub, [section('.a', 1)]));
    expect(Buffer.from(pe.bytes).readUInt32LE(pe.coffOffset + 4)).toBe(0);
    expect(Buffer.from(pe.bytes).readUInt32LE(pe.checksumOffset)).toBe(0);
  });

  test('replaces a section that is there', () => {
    const pe = parsePe(appendSections(stub, [section('.sbat', 100)]));
    expect(pe.sections).toHaveLength(parsePe(stub).sections.length);
    expect(Buffer.from(sectionData(pe, '.sbat') ?? [])).toEqual(Buffer.alloc(100, '.sbat'));
    expect(() => appendSections(stub, [section('.sbat', 100_000)])).toThrowError(
      expect.objectContaining({ code: 'pe.section-full' }),
    );
  });

  test('removes a COFF symbol table at the end of the stub', () => {
    const symbols = Buffer.alloc(3 * 18 + 4 + 7);
    symbols.writeUInt32LE(4 + 7, 3 * 18);
    const unstripped = Buffer.concat([stub, symbols]);
    const { coffOffset } = parsePe(stub);
    unstripped.writeUInt32LE(stub.length, coffOffset + 8);
    unstripped.writeUInt32LE(3, coffOffset + 12);
    const made = appendSections(unstripped, [section('.a', 10)]);
    expect(parsePe(made).symbolTable).toEqual({ offset: 0, count: 0 });
    expect(parsePe(made).sections).toEqual(parsePe(appendSections(stub, [section('.a', 10)])).sections);
  });

  test('says so when the headers have no room', () => {
    const many = Array.from({ length: 600 }, (_, index) => section(`.s${index}`, 1));
    expect(() => appendSections(stub, many)).toThrowError(
      expect.objectContaining({ code: 'pe.no-header-space' }),
    );
  });

  test('refuses names that do not fit', () => {
    expect(() => appendSections(stub, [section('.muchtoolong', 1)])).toThrowError(
      expect.objectContaining({ code: 'pe.section-name' }),
    );
  });
});
