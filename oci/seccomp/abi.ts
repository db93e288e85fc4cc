/** The system call interfaces that a filter tells apart, and their numbers. */
import { NUMBERS as AARCH64 } from './abi/aarch64.ts';
import { NUMBERS as ARM } from './abi/arm.ts';
import { NUMBERS as X32 } from './abi/x32.ts';
import { NUMBERS as X86_64 } from './abi/x86-64.ts';
import { NUMBERS as X86 } from './abi/x86.ts';

export interface Abi {
  /** AUDIT_ARCH_* (linux/audit.h): what the kernel puts into seccomp_data.arch. */
  readonly auditArch: number;
  /** 32: only the low half of an argument exists. */
  readonly argumentBits: 32 | 64;
  /** x32 shares AUDIT_ARCH with x86-64 and is told by this bit of the number. */
  readonly numberBit: number;
  readonly numbers: ReadonlyMap<string, number>;
}

export const X32_BIT = 0x4000_0000;

/** By libseccomp's name. */
export const ABIS: Readonly<Record<string, Abi>> = {
  SCMP_ARCH_X86_64: abi({ auditArch: 0xc000_003e, argumentBits: 64, numberBit: 0 }, X86_64),
  SCMP_ARCH_X86: abi({ auditArch: 0x4000_0003, argumentBits: 32, numberBit: 0 }, X86),
  SCMP_ARCH_X32: abi({ auditArch: 0xc000_003e, argumentBits: 32, numberBit: X32_BIT }, X32),
  SCMP_ARCH_AARCH64: abi({ auditArch: 0xc000_00b7, argumentBits: 64, numberBit: 0 }, AARCH64),
  SCMP_ARCH_ARM: abi({ auditArch: 0x4000_0028, argumentBits: 32, numberBit: 0 }, ARM),
};

/** What i386 also reaches through one call that carries the real one as an argument; libseccomp filters both ways. */
export const X86_MULTIPLEXED: Readonly<Record<string, readonly string[]>> = {
  socketcall: [
    ...['accept', 'accept4', 'bind', 'connect', 'getpeername', 'getsockname', 'getsockopt', 'listen', 'recv'],
    ...['recvfrom', 'recvmmsg', 'recvmsg', 'send', 'sendmmsg', 'sendmsg', 'sendto', 'setsockopt', 'shutdown'],
    ...['socket', 'socketpair'],
  ],
  ipc: [
    ...['msgctl', 'msgget', 'msgrcv', 'msgsnd', 'semctl', 'semget', 'semop', 'semtimedop', 'shmat', 'shmctl'],
    ...['shmdt', 'shmget'],
  ],
};

/** Its numbers are read when somebody asks for them: a machine asks for those of its own processor. */
function abi(rest: Omit<Abi, 'numbers'>, text: string): Abi {
  let numbers: ReadonlyMap<string, number> | undefined;
  return {
    ...rest,
    get numbers() {
      return (numbers ??= parse(text));
    },
  };
}

function parse(text: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>();
  let next = 0;
  for (const word of text.trim().split(/\s+/)) {
    // No name begins with a digit.
    if (word < ':') next = Number(word);
    else numbers.set(word, next++);
  }
  return numbers;
}
