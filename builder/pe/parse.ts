/** Reads a PE/COFF file (PE32 and PE32+): what is needed to add sections and to sign. The bytes may be hostile. */
import { SlipwayError } from '../../spec/error.ts';

export interface PeSection {
  readonly name: string;
  readonly virtualSize: number;
  readonly virtualAddress: number;
  readonly rawSize: number;
  readonly rawOffset: number;
  readonly characteristics: number;
  /** Where its 40-byte header stands in the file. */
  readonly headerOffset: number;
}

export interface PeImage {
  readonly bytes: Uint8Array;
  readonly machine: number;
  /** File offset of the COFF header (behind `PE\0\0`). */
  readonly coffOffset: number;
  /** File offset of the optional header. */
  readonly optionalOffset: number;
  readonly sectionTableOffset: number;
  readonly sections: readonly PeSection[];
  readonly sectionAlignment: number;
  readonly fileAlignment: number;
  readonly sizeOfImage: number;
  readonly sizeOfHeaders: number;
  readonly dllCharacteristics: number;
  readonly symbolTable: { readonly offset: number; readonly count: number };
  readonly checksumOffset: number;
  /** File offset of the data directory entry that points to the signatures. */
  readonly securityEntryOffset: number;
  /** The attribute certificate table, where there is one. */
  readonly security: { readonly offset: number; readonly size: number } | undefined;
}

export const SECTION_HEADER_BYTES = 40;
export const DLL_NX_COMPAT = 0x0100;
const MZ = 0x5a4d;
const PE_SIGNATURE = 0x00004550;
const PE32_PLUS = 0x20b;
const PE32 = 0x10b;
/** Offset of the data directories in the optional header; they are preceded by their number. */
const DIRECTORIES = { [PE32]: 96, [PE32_PLUS]: 112 } as const;
const SECURITY_DIRECTORY = 4;

/** Throws `pe.invalid` with what is wrong when the bytes are not a PE image whose parts all lie within them. */
export function parsePe(bytes: Uint8Array): PeImage {
  try {
    return parse(bytes);
  } catch (error) {
    if (error instanceof RangeError) throw invalid('it ends before its headers do', error);
    throw error;
  }
}

/** The bytes of a section as they are loaded: `VirtualSize` of them, without the file's padding. */
export function sectionData(pe: PeImage, name: string): Uint8Array | undefined {
  const section = pe.sections.find((candidate) => candidate.name === name);
  if (section === undefined) return undefined;
  const size = Math.min(section.virtualSize, section.rawSize);
  return pe.bytes.subarray(section.rawOffset, section.rawOffset + size);
}

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function parse(bytes: Uint8Array): PeImage {
  const view = viewOf(bytes);
  if (view.getUint16(0, true) !== MZ) throw invalid('it does not begin with MZ');
  const coffOffset = view.getUint32(0x3c, true) + 4;
  if (view.getUint32(coffOffset - 4, true) !== PE_SIGNATURE) throw invalid('it has no PE signature');
  const sectionCount = view.getUint16(coffOffset + 2, true);
  const optionalSize = view.getUint16(coffOffset + 16, true);
  const optionalOffset = coffOffset + 20;
  const magic = view.getUint16(optionalOffset, true);
  if (magic !== PE32 && magic !== PE32_PLUS) throw invalid(`its optional header has magic ${hex(magic)}`);
  const directories = optionalOffset + DIRECTORIES[magic];
  const directoryCount = view.getUint32(directories - 4, true);
  const sectionTableOffset = optionalOffset + optionalSize;
  if (directories + directoryCount * 8 > sectionTableOffset) {
    throw invalid('its data directories overlap its section table');
  }
  if (directoryCount <= SECURITY_DIRECTORY) throw invalid('it has no room for a signature');
  const sectionAlignment = view.getUint32(optionalOffset + 32, true);
  const fileAlignment = view.getUint32(optionalOffset + 36, true);
  if (!isPowerOfTwo(sectionAlignment) || !isPowerOfTwo(fileAlignment)) {
    throw invalid(`its alignments are ${sectionAlignment} and ${fileAlignment}`);
  }
  const sizeOfHeaders = view.getUint32(optionalOffset + 60, true);
  if (sizeOfHeaders > bytes.length || sizeOfHeaders < sectionTableOffset) {
    throw invalid(`SizeOfHeaders is ${sizeOfHeaders}`);
  }
  const securityEntryOffset = directories + SECURITY_DIRECTORY * 8;
  return {
    bytes,
    machine: view.getUint16(coffOffset, true),
    coffOffset,
    optionalOffset,
    sectionTableOffset,
    sections: Array.from({ length: sectionCount }, (_, index) =>
      parseSection(view, sectionTableOffset + index * SECTION_HEADER_BYTES),
    ),
    sectionAlignment,
    fileAlignment,
    sizeOfImage: view.getUint32(optionalOffset + 56, true),
    sizeOfHeaders,
    dllCharacteristics: view.getUint16(optionalOffset + 70, true),
    symbolTable: {
      offset: view.getUint32(coffOffset + 8, true),
      count: view.getUint32(coffOffset + 12, true),
    },
    checksumOffset: optionalOffset + 64,
    securityEntryOffset,
    security: parseSecurity(view, securityEntryOffset),
  };
}

function parseSection(view: DataView, headerOffset: number): PeSection {
  const nameBytes = new Uint8Array(view.buffer, view.byteOffset + headerOffset, 8);
  const end = nameBytes.indexOf(0);
  const section: PeSection = {
    name: Buffer.from(end === -1 ? nameBytes : nameBytes.subarray(0, end)).toString('latin1'),
    virtualSize: view.getUint32(headerOffset + 8, true),
    virtualAddress: view.getUint32(headerOffset + 12, true),
    rawSize: view.getUint32(headerOffset + 16, true),
    rawOffset: view.getUint32(headerOffset + 20, true),
    characteristics: view.getUint32(headerOffset + 36, true),
    headerOffset,
  };
  if (section.rawOffset + section.rawSize > view.byteLength) {
    throw invalid(`its section ${JSON.stringify(section.name)} ends behind the end of the file`);
  }
  return section;
}

function parseSecurity(view: DataView, entryOffset: number): { offset: number; size: number } | undefined {
  const offset = view.getUint32(entryOffset, true);
  const size = view.getUint32(entryOffset + 4, true);
  if (offset === 0 && size === 0) return undefined;
  if (offset + size > view.byteLength || offset % 8 !== 0 || size < 8) {
    throw invalid('its signatures lie outside of the file');
  }
  return { offset, size };
}

function invalid(what: string, cause?: unknown): SlipwayError {
  return new SlipwayError('pe.invalid', `not a usable PE image: ${what}`, { cause });
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
