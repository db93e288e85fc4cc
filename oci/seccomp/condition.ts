/** Comparing a system call's arguments: one rule's conditions as BPF. */
import type { OciSeccompArgument } from '../runtime-spec.ts';
import { OPCODE, SECCOMP_DATA, load, ret, statement, type Instruction } from './bpf.ts';

/** A jump's target: the next instruction, the end of this condition (it holds), or the end of the rule (it does not). */
type Target = 'next' | 'pass' | 'fail';
type Step =
  Instruction | { readonly code: number; readonly k: number; readonly jt: Target; readonly jf: Target };

/** Returns `action` when every condition holds, else falls through behind its last instruction. */
export function ruleProgram(
  conditions: readonly OciSeccompArgument[],
  bits: 32 | 64,
  action: number,
): readonly Instruction[] {
  const blocks = conditions.map((condition) => conditionSteps(condition, bits));
  const length = blocks.reduce((sum, block) => sum + block.length, 0);
  const program: Instruction[] = [];
  for (const block of blocks) {
    const end = program.length + block.length;
    for (const step of block) {
      const at = program.length + 1;
      const offset = (target: Target): number =>
        target === 'next' ? 0 : target === 'pass' ? end - at : length + 1 - at;
      program.push(
        typeof step.jt === 'number' ? step : { ...step, jt: offset(step.jt), jf: offset(step.jf) },
      );
    }
  }
  return [...program, ret(action)];
}

function conditionSteps({ index, op, value, valueTwo }: OciSeccompArgument, bits: 32 | 64): readonly Step[] {
  const high = load(SECCOMP_DATA.high(index));
  const low = load(SECCOMP_DATA.low(index));
  const [valueHigh, valueLow] = halves(value);
  const jump = (code: number, k: number, jt: Target, jf: Target): Step => ({ code, k, jt, jf });
  const { jeq, jgt, jge, and } = OPCODE;
  const wide = bits === 64;
  switch (op) {
    case 'SCMP_CMP_EQ':
      return [
        ...(wide ? [high, jump(jeq, valueHigh, 'next', 'fail')] : []),
        low,
        jump(jeq, valueLow, 'pass', 'fail'),
      ];
    case 'SCMP_CMP_NE':
      return [
        ...(wide ? [high, jump(jeq, valueHigh, 'next', 'pass')] : []),
        low,
        jump(jeq, valueLow, 'fail', 'pass'),
      ];
    case 'SCMP_CMP_MASKED_EQ': {
      const [wantedHigh, wantedLow] = halves(valueTwo ?? 0);
      return [
        ...(wide && (valueHigh !== 0 || wantedHigh !== 0)
          ? [high, statement(and, valueHigh), jump(jeq, wantedHigh, 'next', 'fail')]
          : []),
        ...[low, statement(and, valueLow), jump(jeq, wantedLow, 'pass', 'fail')],
      ];
    }
    case 'SCMP_CMP_LT':
    case 'SCMP_CMP_LE':
      return [
        ...(wide ? [high, jump(jgt, valueHigh, 'fail', 'next'), jump(jeq, valueHigh, 'next', 'pass')] : []),
        ...[low, jump(op === 'SCMP_CMP_LT' ? jge : jgt, valueLow, 'fail', 'pass')],
      ];
    case 'SCMP_CMP_GT':
    case 'SCMP_CMP_GE':
      return [
        ...(wide ? [high, jump(jgt, valueHigh, 'pass', 'next'), jump(jeq, valueHigh, 'next', 'fail')] : []),
        ...[low, jump(op === 'SCMP_CMP_GT' ? jgt : jge, valueLow, 'pass', 'fail')],
      ];
    default:
      throw new Error(`seccomp: operator ${op}`);
  }
}

function halves(value: number): [number, number] {
  return [Math.floor(value / 2 ** 32), value % 2 ** 32];
}
