/**
 * `JSModuleDef *js_init_module(JSContext *ctx, const char *name)` for each processor: what a C compiler makes of
 *
 *     JSValue module = JS_ReadObject(ctx, data, sizeof data, JS_READ_OBJ_BYTECODE);
 *     if (module.tag == JS_TAG_EXCEPTION) return NULL;
 *     --((JSRefCountHeader *)module.u.ptr)->ref_count; // the context has its own reference: quickjs-libc.c, js_module_loader
 *     return module.u.ptr;
 */
import type { Architecture } from '../../spec/image.ts';

/** Addresses as in the file when it is loaded at 0. */
export interface Places {
  readonly at: number;
  readonly data: number;
  readonly dataBytes: number;
  /** Where ld.so puts the address of JS_ReadObject. */
  readonly slot: number;
}

interface Machine {
  /** e_machine */
  readonly elfMachine: number;
  /** Relocation type GLOB_DAT. */
  readonly globalData: number;
  /** The largest page that a kernel may have. */
  readonly pageBytes: number;
  readonly codeBytes: number;
  readonly code: (places: Places) => Uint8Array;
}

export const MACHINES: Readonly<Record<Architecture, Machine>> = {
  amd64: { elfMachine: 62, globalData: 6, pageBytes: 0x1000, codeBytes: 44, code: amd64 },
  arm64: { elfMachine: 183, globalData: 1025, pageBytes: 0x10000, codeBytes: 64, code: arm64 },
};

/** System V ABI: arguments in rdi, rsi, rdx, rcx; a JSValue in rax (union) and rdx (tag). */
function amd64({ at, data, dataBytes, slot }: Places): Uint8Array {
  // Displacements count from the end of their instruction.
  return Uint8Array.of(
    ...[0x48, 0x83, 0xec, 0x08], //                       sub  rsp, 8
    ...[0x48, 0x8d, 0x35, ...word(data - (at + 11))], //  lea  rsi, [rip + data]
    ...[0xba, ...word(dataBytes)], //                     mov  edx, dataBytes
    ...[0xb9, ...word(1)], //                             mov  ecx, JS_READ_OBJ_BYTECODE
    ...[0xff, 0x15, ...word(slot - (at + 27))], //        call [rip + slot]
    ...[0x48, 0x83, 0xc4, 0x08], //                       add  rsp, 8
    ...[0x83, 0xfa, 0x06], //                             cmp  edx, JS_TAG_EXCEPTION
    ...[0x74, 0x03], //                                   je   failed
    ...[0xff, 0x08], //                                   dec  dword [rax]
    0xc3, //                                              ret
    ...[0x31, 0xc0], //                           failed: xor  eax, eax
    0xc3, //                                              ret
    ...[0x90, 0x90], //                                   nop
  );
}

/** AAPCS64: arguments in x0 to x3; a JSValue in x0 (union) and x1 (tag). */
function arm64({ at, data, dataBytes, slot }: Places): Uint8Array {
  const words = [
    0xa9bf7bfd, //                                             stp  x29, x30, [sp, #-16]!
    0x10000001 | adr(data - (at + 4)), //                      adr  x1, data
    0x52800002 | ((dataBytes & 0xffff) << 5), //               movz w2, #dataBytes[0:15]
    0x72a00002 | ((dataBytes >>> 16) << 5), //                 movk w2, #dataBytes[16:31], lsl #16
    0x52800023, //                                             mov  w3, #JS_READ_OBJ_BYTECODE
    0x58000010 | (((slot - (at + 20)) >> 2) << 5), //          ldr  x16, slot
    0xd63f0200, //                                             blr  x16
    0xa8c17bfd, //                                             ldp  x29, x30, [sp], #16
    0x7100183f, //                                             cmp  w1, #JS_TAG_EXCEPTION
    0x540000a0, //                                             b.eq failed
    0xb9400002, //                                             ldr  w2, [x0]
    0x51000442, //                                             sub  w2, w2, #1
    0xb9000002, //                                             str  w2, [x0]
    0xd65f03c0, //                                             ret
    0xd2800000, //                                     failed: mov  x0, #0
    0xd65f03c0, //                                             ret
  ];
  return Uint8Array.from(words.flatMap(word));
}

/** The distance of ADR: two low bits at 29, nineteen at 5. */
function adr(distance: number): number {
  return ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5);
}

function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}
