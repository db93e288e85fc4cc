/**
 * `JSModuleDef *js_init_module(JSContext *ctx, const char *name)` for each processor: what a C compiler makes of this, once for each module, and of
 * returning the last one:
 *
 *     JSValue module = JS_ReadObject(ctx, data, sizeof data, JS_READ_OBJ_BYTECODE);
 *     if (module.tag == JS_TAG_EXCEPTION) return NULL;
 *     --((JSRefCountHeader *)module.u.ptr)->ref_count; // the context has its own reference: quickjs-libc.c, js_module_loader
 */
import type { Architecture } from '../../spec/image.ts';

/** Addresses as in the file when it is loaded at 0. */
export interface Places {
  readonly at: number;
  /** Bytecode of the modules, in the order in which it is read. */
  readonly data: readonly { readonly at: number; readonly bytes: number }[];
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
  readonly codeBytes: (modules: number) => number;
  readonly code: (places: Places) => Uint8Array;
}

export const MACHINES: Readonly<Record<Architecture, Machine>> = {
  amd64: {
    ...{ elfMachine: 62, globalData: 6, pageBytes: 0x1000 },
    codeBytes: (modules) => 4 + 37 * modules + 6,
    code: amd64,
  },
  arm64: {
    ...{ elfMachine: 183, globalData: 1025, pageBytes: 0x10000 },
    codeBytes: (modules) => 4 * (3 + 12 * modules + 5),
    code: arm64,
  },
};

/** System V ABI: arguments in rdi, rsi, rdx, rcx; a JSValue in rax (union) and rdx (tag). The context stays in rbx, whose push aligns the stack. */
function amd64({ at, data, slot }: Places): Uint8Array {
  const end = at + MACHINES.amd64.codeBytes(data.length);
  // Displacements count from the end of their instruction.
  const reads = data.flatMap((bytecode, place) => {
    const here = at + 4 + 37 * place;
    return [
      ...[0x48, 0x89, 0xdf], //                                    mov  rdi, rbx
      ...[0x48, 0x8d, 0x35, ...word(bytecode.at - (here + 10))], //  lea  rsi, [rip + bytecode]
      ...[0xba, ...word(bytecode.bytes)], //                       mov  edx, bytes
      ...[0xb9, ...word(1)], //                                    mov  ecx, JS_READ_OBJ_BYTECODE
      ...[0xff, 0x15, ...word(slot - (here + 26))], //             call [rip + slot]
      ...[0x83, 0xfa, 0x06], //                                    cmp  edx, JS_TAG_EXCEPTION
      ...[0x0f, 0x84, ...word(end - 4 - (here + 35))], //          je   failed
      ...[0xff, 0x08], //                                          dec  dword [rax]
    ];
  });
  return Uint8Array.of(
    0x53, //                                                       push rbx
    ...[0x48, 0x89, 0xfb], //                                      mov  rbx, rdi
    ...reads,
    ...[0x5b, 0xc3], //                                            pop  rbx; ret
    ...[0x31, 0xc0], //                                    failed: xor  eax, eax
    ...[0x5b, 0xc3], //                                            pop  rbx; ret
  );
}

/** AAPCS64: arguments in x0 to x3; a JSValue in x0 (union) and x1 (tag). The context stays in x19. */
function arm64({ at, data, slot }: Places): Uint8Array {
  const end = at + MACHINES.arm64.codeBytes(data.length);
  const reads = data.flatMap((bytecode, place) => {
    const here = at + 4 * (3 + 12 * place);
    return [
      0xaa1303e0, //                                               mov  x0, x19
      0x10000001 | adr(bytecode.at - (here + 4)), //               adr  x1, bytecode
      0x52800002 | ((bytecode.bytes & 0xffff) << 5), //            movz w2, #bytes[0:15]
      0x72a00002 | ((bytecode.bytes >>> 16) << 5), //              movk w2, #bytes[16:31], lsl #16
      0x52800023, //                                               mov  w3, #JS_READ_OBJ_BYTECODE
      0x58000010 | literal(slot - (here + 20)), //                 ldr  x16, slot
      0xd63f0200, //                                               blr  x16
      0x7100183f, //                                               cmp  w1, #JS_TAG_EXCEPTION
      0x54000000 | literal(end - 16 - (here + 32)), //             b.eq failed
      0xb9400002, //                                               ldr  w2, [x0]
      0x51000442, //                                               sub  w2, w2, #1
      0xb9000002, //                                               str  w2, [x0]
    ];
  });
  const words = [
    0xa9be7bfd, //                                                 stp  x29, x30, [sp, #-32]!
    0xf9000bf3, //                                                 str  x19, [sp, #16]
    0xaa0003f3, //                                                 mov  x19, x0
    ...reads,
    0x14000002, //                                                 b    done
    0xd2800000, //                                         failed: mov  x0, #0
    0xf9400bf3, //                                           done: ldr  x19, [sp, #16]
    0xa8c27bfd, //                                                 ldp  x29, x30, [sp], #32
    0xd65f03c0, //                                                 ret
  ];
  return Uint8Array.from(words.flatMap(word));
}

/** The distance of ADR: two low bits at 29, nineteen at 5. */
function adr(distance: number): number {
  near(distance);
  return ((distance & 3) << 29) | (((distance >> 2) & 0x7ffff) << 5);
}

/** Of LDR and B.cond: in words, nineteen bits at 5. */
function literal(distance: number): number {
  near(distance);
  return ((distance >> 2) & 0x7ffff) << 5;
}

function near(distance: number): void {
  if (distance < -0x100000 || distance >= 0x100000)
    throw new Error(`${distance} bytes are further than an instruction of arm64 reaches`);
}

function word(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}
