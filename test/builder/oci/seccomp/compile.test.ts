import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALL_CAPABILITIES, DEFAULT_CAPABILITIES } from '../../../../oci/capabilities.ts';
import type { OciSeccomp } from '../../../../oci/runtime-spec.ts';
import { ABIS } from '../../../../oci/seccomp/abi.ts';
import { compileSeccomp } from '../../../../oci/seccomp/compile.ts';
import { DEFAULT_PROFILE } from '../../../../oci/seccomp/default-profile.ts';
import { NATIVE, resolveProfile } from '../../../../oci/seccomp/resolve.ts';
import type { Architecture } from '../../../../spec/image.ts';
import { runBpf, type SystemCall } from './bpf-machine.ts';

const ORACLE = fileURLToPath(new URL('libseccomp.py', import.meta.url));
const available = spawnSync('python3', ['-c', "import ctypes; ctypes.CDLL('libseccomp.so.2')"]).status === 0;
if (!available) process.stdout.write('skipped: no python3 with libseccomp.so.2 to judge our BPF by\n');

describe.skipIf(!available)("the compiled filter decides as libseccomp's does", () => {
  test.each([
    ['amd64', 'no capability', []],
    ['amd64', "Docker's default capabilities", DEFAULT_CAPABILITIES],
    ['amd64', 'every capability', ALL_CAPABILITIES],
    ['arm64', 'no capability', []],
    ['arm64', "Docker's default capabilities", DEFAULT_CAPABILITIES],
    ['arm64', 'every capability', ALL_CAPABILITIES],
  ] as const)('default profile, %s, %s', (architecture, _what, capabilities) => {
    expectEqualFilters(resolveProfile(DEFAULT_PROFILE, architecture, capabilities), architecture);
  });

  // One rule a call: of several with unlike arguments, libseccomp's tree can lose alternatives.
  test('random profiles: every operator, on one and several arguments', () => {
    fc.assert(
      fc.property(randomProfile(1), (seccomp) => expectEqualFilters(seccomp, 'amd64')),
      { numRuns: 12 },
    );
  });
});

test('random profiles with alternatives: the filter decides as the rules say', () => {
  fc.assert(
    fc.property(randomProfile(4), (seccomp) => {
      const program = compileSeccomp(seccomp, 'amd64') ?? new Uint8Array();
      const native = ABIS['SCMP_ARCH_X86_64'];
      for (const { names, args } of seccomp.syscalls) {
        for (const name of names) {
          for (const values of argumentSets(args ?? [])) {
            const call = {
              arch: native?.auditArch ?? 0,
              number: native?.numbers.get(name) ?? 0,
              args: values,
            };
            expect(runBpf(program, call) === 0x7fff_0000).toBe(isAllowed(seccomp, name, values));
          }
        }
      }
    }),
    { numRuns: 30 },
  );
});

function randomProfile(maxRules: number): fc.Arbitrary<OciSeccomp> {
  const argument = fc.record({
    index: fc.integer({ min: 0, max: 5 }),
    op: fc.constantFrom(...['NE', 'LT', 'LE', 'EQ', 'GE', 'GT', 'MASKED_EQ'].map((op) => `SCMP_CMP_${op}`)),
    value: fc.oneof(fc.nat(16), fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5)),
  });
  const rule = fc.record({
    names: fc.uniqueArray(fc.constantFrom('read', 'write', 'openat', 'clone', 'personality'), {
      minLength: 1,
    }),
    action: fc.constant('SCMP_ACT_ALLOW'),
    args: fc.uniqueArray(argument, { maxLength: 3, selector: ({ index }) => index }),
  });
  return fc.record({
    defaultAction: fc.constant('SCMP_ACT_ERRNO'),
    architectures: fc.constantFrom(
      ['SCMP_ARCH_X86_64'],
      ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
    ),
    syscalls: fc.array(rule, { minLength: 1, maxLength: maxRules }),
  });
}

/** The rules read directly, on 64-bit arguments. */
function isAllowed(seccomp: OciSeccomp, name: string, values: readonly bigint[]): boolean {
  return seccomp.syscalls.some(
    ({ names, args }) =>
      names.includes(name) &&
      (args ?? []).every(({ index, op, value, valueTwo }) => {
        const [actual, wanted] = [values[index] ?? 0n, BigInt(value)];
        switch (op) {
          case 'SCMP_CMP_NE':
            return actual !== wanted;
          case 'SCMP_CMP_LT':
            return actual < wanted;
          case 'SCMP_CMP_LE':
            return actual <= wanted;
          case 'SCMP_CMP_EQ':
            return actual === wanted;
          case 'SCMP_CMP_GE':
            return actual >= wanted;
          case 'SCMP_CMP_GT':
            return actual > wanted;
          default:
            return (actual & wanted) === BigInt(valueTwo ?? 0);
        }
      }),
  );
}

test('the program is small, and the same each time', () => {
  const seccomp = resolveProfile(DEFAULT_PROFILE, 'amd64', DEFAULT_CAPABILITIES);
  const program = compileSeccomp(seccomp, 'amd64');
  expect(program?.length).toBeLessThan(8 * 1000);
  expect(compileSeccomp(seccomp, 'amd64')).toEqual(program);
});

test('what only libseccomp decides is left to it', () => {
  const rule = { names: ['read'], action: 'SCMP_ACT_ALLOW' };
  const seccomp = { defaultAction: 'SCMP_ACT_KILL', architectures: [], syscalls: [rule] };
  expect(compileSeccomp(seccomp, 'amd64')).toBeDefined();
  expect(compileSeccomp({ ...seccomp, architectures: ['SCMP_ARCH_S390X'] }, 'amd64')).toBeUndefined();
  expect(
    compileSeccomp({ ...seccomp, syscalls: [rule, { ...rule, action: 'SCMP_ACT_LOG' }] }, 'amd64'),
  ).toBeUndefined();
  const socket = [{ names: ['socket'], action: 'SCMP_ACT_ALLOW' }];
  expect(
    compileSeccomp({ ...seccomp, architectures: ['SCMP_ARCH_X86'], syscalls: socket }, 'amd64'),
  ).toBeUndefined();
});

function expectEqualFilters(seccomp: OciSeccomp, architecture: Architecture): void {
  const ours = compileSeccomp(seccomp, architecture);
  if (ours === undefined) throw new Error('not compiled');
  const { bpf, unknown } = libseccomp(seccomp, architecture);
  const differences: string[] = [];
  for (const call of interestingCalls(seccomp, unknown)) {
    const [a, b] = [runBpf(ours, call), runBpf(bpf, call)];
    if (a !== b && differences.length < 10) {
      differences.push(
        `arch ${call.arch.toString(16)} number ${call.number} args ${call.args.join()}: ours ${a.toString(16)}, libseccomp ${b.toString(16)}`,
      );
    }
  }
  expect(differences).toEqual([]);
}

type Unknown = Readonly<Record<string, readonly string[]>>;

function libseccomp(seccomp: OciSeccomp, architecture: Architecture): { bpf: Uint8Array; unknown: Unknown } {
  const { status, stdout, stderr } = spawnSync('python3', [ORACLE], {
    input: JSON.stringify({ seccomp, native: NATIVE[architecture] }),
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  const result = JSON.parse(stdout) as { bpf: string; unknown: Unknown };
  return { bpf: Buffer.from(result.bpf, 'base64'), unknown: result.unknown };
}

/** All numbers of all architectures, and around every value that a rule compares an argument with. */
function interestingCalls(seccomp: OciSeccomp, unknown: Unknown): readonly SystemCall[] {
  const calls: SystemCall[] = [];
  const none = [0n, 0n, 0n, 0n, 0n, 0n];
  for (const [arch, abi] of Object.entries(ABIS)) {
    const skipped = new Set(unknown[arch.slice('SCMP_ARCH_'.length)]?.map((name) => abi.numbers.get(name)));
    const numbers = [...Array(1100).keys()].filter((number) => !skipped.has(number));
    numbers.push(
      0xf0001,
      0xf0002,
      0xf0005,
      0xf0006,
      0x3fff_ffff - abi.numberBit,
      0x7fff_ffff - abi.numberBit,
    );
    for (const number of numbers)
      calls.push({ arch: abi.auditArch, number: number + abi.numberBit, args: none });
    calls.push({ arch: abi.auditArch, number: 0xffff_ffff, args: none });
    for (const rule of seccomp.syscalls) {
      for (const name of (rule.args ?? []).length === 0 ? [] : rule.names) {
        const number = abi.numbers.get(name);
        if (number === undefined || skipped.has(number)) continue;
        for (const args of argumentSets(rule.args ?? [])) {
          calls.push({ arch: abi.auditArch, number: number + abi.numberBit, args });
        }
      }
    }
  }
  calls.push({ arch: 0x1234, number: 0, args: none });
  return calls;
}

function argumentSets(
  conditions: NonNullable<OciSeccomp['syscalls'][number]['args']>,
): readonly (readonly bigint[])[] {
  const mask = (1n << 64n) - 1n;
  let sets: bigint[][] = [[0n, 0n, 0n, 0n, 0n, 0n]];
  for (const { index, value } of conditions) {
    const around = [-1n, 0n, 1n, 1n << 32n, -(1n << 32n), 1n << 63n].map(
      (delta) => (BigInt(value) + delta) & mask,
    );
    sets = sets.flatMap((set) => [...around, 0n, mask].map((argument) => set.with(index, argument)));
  }
  return sets;
}
