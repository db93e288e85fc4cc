/** Classic BPF as seccomp(2) takes it: instructions, and their bytes. */

export interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
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

/** `condition` true: `then`, else `otherwise`. Conditional jumps reach 255 instructions, so a longer way goes over a `ja`. */
export function branch(
  code: number,
  k: number,
  then: readonly Instruction[],
  otherwise: readonly Instruction[],
): readonly Instruction[] {
  if (otherwise.length <= 255) return [{ code, jt: otherwise.length, jf: 0, k }, ...otherwise, ...then];
  return [{ code, jt: 0, jf: 1, k }, statement(OPCODE.ja, otherwise.length), ...otherwise, ...then];
}

/** struct sock_filter[], little endian (both of our architectures are). */
export function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k, true);
  });
  return bytes;
}
