/** Classic BPF as seccomp(2) takes it: instructions, and their bytes. */

export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

/** Instructions in order, as they were put together: a tree, for a filter of a thousand is made of as many branches. */
export interface Program {
  readonly length: number;
  readonly parts: readonly (Instruction | Program)[];
}

/** Opcodes (linux/bpf_common.h): class | size or operation | mode or source. */
export const OPCODE = {
  load: 0x20,
  and: 0x54,
  ja: 0x05,
  jeq: 0x15,
  jgt: 0x25,
  jge: 0x35,
  ret: 0x06,
} as const;

/** Offsets in struct seccomp_data (linux/seccomp.h), little endian. */
export const SECCOMP_DATA = {
  number: 0,
  arch: 4,
  low: (argument: number): number => 16 + 8 * argument,
  high: (argument: number): number => 20 + 8 * argument,
} as const;

/** The kernel's limit (BPF_MAXINSNS). */
export const MAX_INSTRUCTIONS = 4096;

export function statement(code: number, k: number): Instruction {
  return { code, jt: 0, jf: 0, k };
}

export const load = (offset: number): Instruction => statement(OPCODE.load, offset);
export const ret = (action: number): Instruction => statement(OPCODE.ret, action);

export function sequence(...parts: readonly (Instruction | Program)[]): Program {
  return { length: parts.reduce((sum, part) => sum + ('parts' in part ? part.length : 1), 0), parts };
}

/** `condition` true: `then`, else `otherwise`. Conditional jumps reach 255 instructions, so a longer way goes over a `ja`. */
export function branch(code: number, k: number, then: Program, otherwise: Program): Program {
  const { length } = otherwise;
  if (length <= 255) return sequence({ code, jt: length, jf: 0, k }, otherwise, then);
  return sequence({ code, jt: 0, jf: 1, k }, statement(OPCODE.ja, length), otherwise, then);
}

/** struct sock_filter[], little endian (both of our architectures are). */
export function encode(program: Program): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const write = ({ parts }: Program): void => {
    for (const part of parts) {
      if ('parts' in part) {
        write(part);
        continue;
      }
      view.setUint16(at, part.code, true);
      view.setUint8(at + 2, part.jt);
      view.setUint8(at + 3, part.jf);
      view.setUint32(at + 4, part.k, true);
      at += 8;
    }
  };
  write(program);
  return bytes;
}
