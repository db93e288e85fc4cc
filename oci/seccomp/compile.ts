/**
 * From a service's seccomp rules to the BPF program that the kernel runs, at build time: libseccomp does this at every start of a container,
 * and under emulation it is most of what a start costs. The result is proven equal to libseccomp's in the tests.
 */
import type { Architecture } from '../../spec/image.ts';
import type { OciSeccomp, OciSeccompArgument, OciSeccompRule } from '../runtime-spec.ts';
import { ABIS, X32_BIT, X86_MULTIPLEXED, type Abi } from './abi.ts';
import {
  MAX_INSTRUCTIONS,
  OPCODE,
  SECCOMP_DATA,
  branch,
  encode,
  load,
  ret,
  sequence,
  type Program,
} from './bpf.ts';
import { ruleProgram } from './condition.ts';
import { NATIVE } from './resolve.ts';

/** What happens to a system call: an action, or rules to try in turn before the default. */
interface Verdict {
  readonly action: number;
  /** Alternatives: each a conjunction. None: the action is unconditional. */
  readonly alternatives: readonly (readonly OciSeccompArgument[])[];
}

/** seccomp(2)'s return values. A foreign architecture is killed, as by libseccomp. */
const RET_KILL_THREAD = 0;

/**
 * The program as bytes for seccomp(2), or `undefined` where a profile needs what only libseccomp decides (two actions for one system call, an unknown
 * architecture, i386's multiplexed calls): then crun compiles it on the machine.
 */
export function compileSeccomp(seccomp: OciSeccomp, architecture: Architecture): Uint8Array | undefined {
  const names = [...new Set([NATIVE[architecture], ...seccomp.architectures])];
  const defaultAction = returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const byArch = new Map<number, { plain?: Program; x32?: Program }>();
  for (const name of names) {
    const abi = ABIS[name];
    if (abi === undefined) return undefined;
    if (name === 'SCMP_ARCH_X86' && !multiplexersAgree(seccomp)) return undefined;
    const verdicts = abiVerdicts(seccomp.syscalls, abi, defaultAction);
    if (verdicts === undefined) return undefined;
    const tree = decide(ranges(verdicts, abi, defaultAction), abi, defaultAction);
    const programs = byArch.get(abi.auditArch) ?? {};
    byArch.set(
      abi.auditArch,
      abi.numberBit === 0 ? { ...programs, plain: tree } : { ...programs, x32: tree },
    );
  }
  const foreign = sequence(ret(RET_KILL_THREAD));
  let dispatch = foreign;
  for (const [auditArch, { plain, x32 }] of [...byArch].reverse()) {
    // A tracer skips a call by making its number -1: that is no x32 call (seccomp(2), libseccomp's gen_bpf.c).
    const noX32 = branch(OPCODE.jeq, 0xffff_ffff, sequence(ret(defaultAction)), foreign);
    const tree = abiTree(auditArch, plain ?? foreign, x32 ?? noX32);
    const withNumber = sequence(load(SECCOMP_DATA.number), tree);
    dispatch = branch(OPCODE.jeq, auditArch, withNumber, dispatch);
  }
  const program = sequence(load(SECCOMP_DATA.arch), dispatch);
  return program.length > MAX_INSTRUCTIONS ? undefined : encode(program);
}

function abiTree(auditArch: number, plain: Program, x32: Program): Program {
  return auditArch === ABIS['SCMP_ARCH_X86_64']?.auditArch ? branch(OPCODE.jge, X32_BIT, x32, plain) : plain;
}

/** `undefined`: one system call has several actions. Names that the ABI lacks are another's. */
function abiVerdicts(
  rules: readonly OciSeccompRule[],
  abi: Abi,
  defaultAction: number,
): ReadonlyMap<number, Verdict> | undefined {
  const verdicts = new Map<number, Verdict>();
  for (const rule of rules) {
    const action = returnValue(rule.action, rule.errnoRet);
    if (action === defaultAction) continue;
    for (const name of rule.names) {
      const number = abi.numbers.get(name);
      if (number === undefined) continue;
      const before = verdicts.get(number);
      if (before !== undefined && before.action !== action) return undefined;
      const unconditional = before?.alternatives.length === 0 || (rule.args ?? []).length === 0;
      verdicts.set(number, {
        action,
        alternatives: unconditional
          ? []
          : [...(before?.alternatives ?? []), ...alternatives(rule.args ?? [])],
      });
    }
  }
  return verdicts;
}

/** Two conditions on one argument are alternatives: libseccomp can't have them in one rule, and crun splits such a rule. */
function alternatives(args: readonly OciSeccompArgument[]): readonly (readonly OciSeccompArgument[])[] {
  const repeated = new Set(args.map(({ index }) => index)).size < args.length;
  return repeated ? args.map((arg) => [arg]) : [args];
}

interface Range {
  readonly first: number;
  readonly verdict: Verdict;
}

/** All numbers from 0 up, neighbours with one and the same unconditional action together. */
function ranges(verdicts: ReadonlyMap<number, Verdict>, abi: Abi, defaultAction: number): readonly Range[] {
  const fallback: Verdict = { action: defaultAction, alternatives: [] };
  const result: Range[] = [{ first: 0, verdict: fallback }];
  const push = (first: number, verdict: Verdict): void => {
    const last = result[result.length - 1];
    if (last?.first === first) result.pop();
    const before = result[result.length - 1];
    const same =
      before !== undefined &&
      before.verdict.action === verdict.action &&
      before.verdict.alternatives.length + verdict.alternatives.length === 0;
    if (!same) result.push({ first, verdict });
  };
  for (const [number, verdict] of [...verdicts].sort(([a], [b]) => a - b)) {
    push(number + abi.numberBit, verdict);
    push(number + abi.numberBit + 1, fallback);
  }
  return result;
}

/** A balanced binary search: 8 comparisons for any of the 460 numbers. */
function decide(all: readonly Range[], abi: Abi, defaultAction: number): Program {
  const [only, second] = all;
  if (only === undefined) return sequence(ret(defaultAction));
  if (second === undefined) return leaf(only.verdict, abi, defaultAction);
  const middle = all.length >> 1;
  const right = all.slice(middle);
  return branch(
    OPCODE.jge,
    right[0]?.first ?? 0,
    decide(right, abi, defaultAction),
    decide(all.slice(0, middle), abi, defaultAction),
  );
}

function leaf({ action, alternatives }: Verdict, abi: Abi, defaultAction: number): Program {
  if (alternatives.length === 0) return sequence(ret(action));
  return sequence(
    ...alternatives.flatMap((conditions) => ruleProgram(conditions, abi.argumentBits, action)),
    ret(defaultAction),
  );
}

/** Whether what is said of an i386 call holds for the call that multiplexes it too. */
function multiplexersAgree({ syscalls }: OciSeccomp): boolean {
  const named = (name: string): readonly OciSeccompRule[] =>
    syscalls.filter(({ names }) => names.includes(name));
  return Object.entries(X86_MULTIPLEXED).every(([multiplexer, calls]) => {
    const free = named(multiplexer).find(({ args }) => (args ?? []).length === 0);
    return calls.every((call) => named(call).every(({ action }) => action === free?.action));
  });
}

function returnValue(action: string, errno: number | undefined): number {
  const data = errno ?? 1;
  switch (action) {
    case 'SCMP_ACT_ALLOW':
      return 0x7fff_0000;
    case 'SCMP_ACT_LOG':
      return 0x7ffc_0000;
    case 'SCMP_ACT_TRACE':
      return 0x7ff0_0000 + data;
    case 'SCMP_ACT_ERRNO':
      return 0x0005_0000 + data;
    case 'SCMP_ACT_TRAP':
      return 0x0003_0000;
    case 'SCMP_ACT_KILL_PROCESS':
      return 0x8000_0000;
    default:
      return RET_KILL_THREAD;
  }
}
