/**
 * Modules of QuickJS as bytecode, in the form that Debian's `qjs` can import: a shared object whose `js_init_module` hands its own data to
 * JS_ReadObject (quickjs.h; quickjs-libc.c, js_module_loader_so). Each module is then known by its own name, and found by that before anybody looks
 * for a file (quickjs.c, js_find_loaded_module). ELF-64 as in the System V ABI, with what ld.so needs and no more: no section headers, one symbol in,
 * one out, one relocation.
 */
import type { Architecture } from '../../spec/image.ts';
import { MACHINES } from './machine-code.ts';

const IMPORTED = 'JS_ReadObject';
const EXPORTED = 'js_init_module';
const HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;
const SYMBOL_BYTES = 24;
const PT = { LOAD: 1, DYNAMIC: 2, GNU_STACK: 0x6474e551 };
const PF = { X: 1, W: 2, R: 4 };
const DT = { HASH: 4, STRTAB: 5, SYMTAB: 6, RELA: 7, RELASZ: 8, RELAENT: 9, STRSZ: 10, SYMENT: 11 };

/** `bytecodes`: as `qjsc -c` writes them; the last is what whoever imports the object gets. */
export function moduleObject(architecture: Architecture, bytecodes: readonly Uint8Array[]): Uint8Array {
  const { elfMachine, globalData, pageBytes, code, ...machine } = MACHINES[architecture];
  const codeBytes = machine.codeBytes(bytecodes.length);
  const bytecode = Buffer.concat(bytecodes);
  const strings = Buffer.from(`\0${IMPORTED}\0${EXPORTED}\0`);
  const headers = HEADER_BYTES + 4 * PROGRAM_HEADER_BYTES;
  const at = layOut({
    headers,
    symbols: 3 * SYMBOL_BYTES,
    relocation: 24,
    hash: 6 * 4,
    strings: strings.length,
    code: codeBytes,
    bytecode: bytecode.length,
  });
  // What ld.so writes to lies on a page of its own in memory, right behind the rest in the file.
  const dynamicBytes = 16 * (Object.keys(DT).length + 1);
  const writableBytes = dynamicBytes + 8;
  const dynamic = at.end + pageBytes;
  const slot = dynamic + dynamicBytes;

  const file = Buffer.alloc(at.end + writableBytes);
  const u64 = (offset: number, value: number): void => void file.writeBigUInt64LE(BigInt(value), offset);

  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(file);
  file.writeUInt16LE(3, 16); // ET_DYN
  file.writeUInt16LE(elfMachine, 18);
  file.writeUInt32LE(1, 20);
  u64(32, HEADER_BYTES);
  file.writeUInt16LE(HEADER_BYTES, 52);
  file.writeUInt16LE(PROGRAM_HEADER_BYTES, 54);
  file.writeUInt16LE(4, 56);
  file.writeUInt16LE(64, 58);

  const segments = [
    [PT.LOAD, PF.R | PF.X, 0, 0, at.end, pageBytes],
    [PT.LOAD, PF.R | PF.W, at.end, dynamic, writableBytes, pageBytes],
    [PT.DYNAMIC, PF.R | PF.W, at.end, dynamic, dynamicBytes, 8],
    [PT.GNU_STACK, PF.R | PF.W, 0, 0, 0, 16],
  ] as const;
  segments.forEach(([type, flags, offset, address, bytes, alignment], place) => {
    const header = HEADER_BYTES + place * PROGRAM_HEADER_BYTES;
    file.writeUInt32LE(type, header);
    file.writeUInt32LE(flags, header + 4);
    [offset, address, address, bytes, bytes, alignment].forEach((value, field) =>
      u64(header + 8 + 8 * field, value),
    );
  });

  const symbol = (place: number, name: string, section: number, address: number, bytes: number): void => {
    const entry = at.symbols + place * SYMBOL_BYTES;
    file.writeUInt32LE(strings.indexOf(`\0${name}\0`) + 1, entry);
    file.writeUInt8(0x12, entry + 4); // STB_GLOBAL, STT_FUNC
    file.writeUInt16LE(section, entry + 6);
    u64(entry + 8, address);
    u64(entry + 16, bytes);
  };
  symbol(1, IMPORTED, 0, 0, 0);
  // Any section but none: there is no table of them.
  symbol(2, EXPORTED, 1, at.code, codeBytes);
  strings.copy(file, at.strings);
  // One bucket: 2 (js_init_module) -> 1 -> none.
  [1, 3, 2, 0, 0, 1].forEach((word, place) => file.writeUInt32LE(word, at.hash + 4 * place));
  u64(at.relocation, slot);
  file.writeUInt32LE(globalData, at.relocation + 8);
  file.writeUInt32LE(1, at.relocation + 12);

  const entries: readonly (readonly [number, number])[] = [
    [DT.HASH, at.hash],
    [DT.STRTAB, at.strings],
    [DT.SYMTAB, at.symbols],
    [DT.RELA, at.relocation],
    [DT.RELASZ, 24],
    [DT.RELAENT, 24],
    [DT.STRSZ, strings.length],
    [DT.SYMENT, SYMBOL_BYTES],
  ];
  entries.forEach(([tag, value], place) => {
    u64(at.end + 16 * place, tag);
    u64(at.end + 16 * place + 8, value);
  });

  let next = at.bytecode;
  const data = bytecodes.map(({ length }) => ({ at: (next += length) - length, bytes: length }));
  Buffer.from(code({ at: at.code, data, slot })).copy(file, at.code);
  bytecode.copy(file, at.bytecode);
  return file;
}

/** Offsets of parts that follow each other, each on 8 bytes. */
function layOut<Name extends string>(parts: Readonly<Record<Name, number>>): Record<Name | 'end', number> {
  let end = 0;
  const offsets: Partial<Record<Name | 'end', number>> = {};
  for (const [name, bytes] of Object.entries<number>(parts)) {
    offsets[name as Name] = end;
    end = (end + bytes + 7) & ~7;
  }
  return { ...offsets, end } as Record<Name | 'end', number>;
}
