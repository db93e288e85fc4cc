/** Adds sections to a PE image. */
import { SlipwayError } from '../../spec/error.ts';
import { DLL_NX_COMPAT, SECTION_HEADER_BYTES, parsePe, viewOf, type PeImage } from './parse.ts';

export interface NewSection {
  /** At most 8 bytes of ASCII. */
  readonly name: string;
  readonly data: Uint8Array;
  /** Bytes in memory, zero-filled behind `data`; its size unless told. */
  readonly virtualSize?: number;
  readonly kind: 'code' | 'data';
}

const MEMORY_READ = 0x40000000;
const CONTAINS = { code: 0x00000020, data: 0x00000040 };
const LOCAL_SYMBOLS_STRIPPED = 0x0008;

/**
 * The image with the sections added behind its last one, in order. A section that it has already is replaced in place (`.sbat`), and must fit.
 *
 * In memory each section starts on SectionAlignment: on less, OVMF's memory protection stops the machine without a word
 * (kairos-io/kairos#4885). In the file each ends there too, so that equal files in UKI and root lie on equal 4 KiB blocks; there are no gaps
 * between them, because an Authenticode signature covers none. Time stamp and checksum become zero, so that the bytes depend on the inputs alone.
 */
export function appendSections(
  image: Uint8Array,
  added: readonly NewSection[],
  options: { readonly nxCompatible?: boolean } = {},
): Uint8Array {
  const pe = parsePe(withoutSymbols(image));
  if (pe.security !== undefined) {
    throw new SlipwayError('pe.signed', 'the PE image is signed already; sections are added before signing');
  }
  const replaced = added.filter((section) => has(pe, section));
  const fresh = added.filter((section) => !has(pe, section));
  checkHeaderSpace(pe, fresh);

  let fileEnd = align(pe.bytes.length, pe.fileAlignment);
  let memoryEnd = Math.max(
    pe.sizeOfHeaders,
    ...pe.sections.map((section) => section.virtualAddress + section.virtualSize),
  );
  const placed = fresh.map((section) => {
    const virtualAddress = align(memoryEnd, pe.sectionAlignment);
    const virtualSize = Math.max(section.virtualSize ?? 0, section.data.length);
    const rawOffset = fileEnd;
    memoryEnd = virtualAddress + virtualSize;
    fileEnd = align(rawOffset + section.data.length, pe.sectionAlignment);
    return { section, virtualAddress, virtualSize, rawOffset, rawSize: fileEnd - rawOffset };
  });
  const result = new Uint8Array(fileEnd);
  result.set(pe.bytes);
  const view = viewOf(result);
  for (const section of replaced) replaceSection(result, pe, section);
  placed.forEach(({ section, virtualAddress, virtualSize, rawOffset, rawSize }, index) => {
    const header = pe.sectionTableOffset + (pe.sections.length + index) * SECTION_HEADER_BYTES;
    result.fill(0, header, header + SECTION_HEADER_BYTES);
    result.set(Buffer.from(section.name, 'latin1'), header);
    view.setUint32(header + 8, virtualSize, true);
    view.setUint32(header + 12, virtualAddress, true);
    view.setUint32(header + 16, rawSize, true);
    view.setUint32(header + 20, rawOffset, true);
    view.setUint32(header + 36, MEMORY_READ | CONTAINS[section.kind], true);
    result.set(section.data, rawOffset);
  });

  const addedBytes = placed.reduce((sum, { virtualSize }) => sum + virtualSize, 0);
  const initialized = pe.optionalOffset + 8;
  view.setUint16(pe.coffOffset + 2, pe.sections.length + placed.length, true);
  view.setUint32(pe.coffOffset + 4, 0, true);
  view.setUint32(initialized, view.getUint32(initialized, true) + addedBytes, true);
  view.setUint32(pe.optionalOffset + 56, align(memoryEnd, pe.sectionAlignment), true);
  view.setUint32(pe.checksumOffset, 0, true);
  if (options.nxCompatible === false) {
    view.setUint16(pe.optionalOffset + 70, pe.dllCharacteristics & ~DLL_NX_COMPAT, true);
  }
  return result;
}

/** Up to the next multiple. */
export function align(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

function has(pe: PeImage, section: NewSection): boolean {
  return pe.sections.some((existing) => existing.name === section.name);
}

function checkHeaderSpace(pe: PeImage, added: readonly NewSection[]): void {
  for (const section of added) {
    if (!/^[\x21-\x7e]{1,8}$/.test(section.name)) {
      throw new SlipwayError('pe.section-name', `${JSON.stringify(section.name)} is no PE section name`);
    }
  }
  const limit = Math.min(
    pe.sizeOfHeaders,
    ...pe.sections.filter((section) => section.rawSize > 0).map((section) => section.rawOffset),
  );
  const needed = pe.sectionTableOffset + (pe.sections.length + added.length) * SECTION_HEADER_BYTES;
  if (needed > limit) {
    const room = Math.floor((limit - pe.sectionTableOffset) / SECTION_HEADER_BYTES) - pe.sections.length;
    throw new SlipwayError(
      'pe.no-header-space',
      `${added.length} sections are to be added, but the PE image's headers have room for ${Math.max(0, room)}`,
      { hint: 'use the systemd-stub of systemd 255 or newer' },
    );
  }
}

function replaceSection(result: Uint8Array, pe: PeImage, section: NewSection): void {
  const existing = pe.sections.find((candidate) => candidate.name === section.name);
  if (existing === undefined) throw new Error(`no section ${section.name}`);
  if (section.data.length > existing.rawSize) {
    throw new SlipwayError(
      'pe.section-full',
      `${section.name} has room for ${existing.rawSize} bytes, not for ${section.data.length}`,
    );
  }
  result.fill(0, existing.rawOffset, existing.rawOffset + existing.rawSize);
  result.set(section.data, existing.rawOffset);
  viewOf(result).setUint32(existing.headerOffset + 8, section.data.length, true);
}

/** Stubs that were not stripped carry a COFF symbol table at their end, unaligned; images should have none (systemd/systemd#27004). */
function withoutSymbols(image: Uint8Array): Uint8Array {
  const pe = parsePe(image);
  const { offset, count } = pe.symbolTable;
  if (offset === 0) return image;
  const strings = offset + 18 * count;
  const stringBytes = strings + 4 <= image.length ? viewOf(image).getUint32(strings, true) : 0;
  const dataEnd = Math.max(0, ...pe.sections.map((section) => section.rawOffset + section.rawSize));
  if (strings + stringBytes !== image.length || offset < dataEnd) {
    throw new SlipwayError('pe.symbols', 'the PE image has a COFF symbol table that is not at its end', {
      hint: 'strip the stub first',
    });
  }
  const result = Uint8Array.from(image.subarray(0, offset));
  const view = viewOf(result);
  view.setUint32(pe.coffOffset + 8, 0, true);
  view.setUint32(pe.coffOffset + 12, 0, true);
  view.setUint16(pe.coffOffset + 18, view.getUint16(pe.coffOffset + 18, true) | LOCAL_SYMBOLS_STRIPPED, true);
  return result;
}
