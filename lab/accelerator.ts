/** Whether KVM can be used: proven by a guest that ran, since a /dev/kvm that opens may still be unable to run one. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheRoot, temporaryName, writeFileAtomic } from '../builder/cache/directory.ts';
import { machineArchitecture } from '../builder/lock/resolve.ts';
import { SlipwayError } from '../spec/error.ts';
import type { Architecture } from '../spec/image.ts';
import { startChild } from './child.ts';
import type { Accelerator } from './qemu.ts';
import type { Toolbox } from './toolbox.ts';

export type AcceleratorChoice = 'auto' | Accelerator;

/** What to start machines with. `auto` proves KVM once for each boot of this workstation, and remembers. `toolbox`: of the machine's architecture. */
export async function chooseAccelerator(
  choice: AcceleratorChoice,
  toolbox: Toolbox,
  machine: Architecture = 'amd64',
): Promise<Accelerator> {
  if (choice === 'tcg') return 'tcg';
  const works = machine === machineArchitecture() && (await kvmWorks(toolbox, machine));
  if (choice === 'kvm' && !works) {
    throw new SlipwayError('lab.no-kvm', 'KVM cannot run a guest on this workstation', {
      hint: 'use --accel tcg (software emulation), or give this user access to a working /dev/kvm',
    });
  }
  return works ? 'kvm' : 'tcg';
}

async function kvmWorks(toolbox: Toolbox, machine: Architecture): Promise<boolean> {
  const remembered = join(cacheRoot(), 'lab', 'accelerator.json');
  const key = [
    release(),
    (await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')).trim(),
    cpus()[0]?.model ?? '',
    process.getuid?.() ?? 0,
    toolbox.id,
  ].join(' ');
  const known = await readFile(remembered, 'utf8')
    .then((text) => JSON.parse(text) as { key: string; kvm: boolean })
    .catch(() => undefined);
  if (known?.key === key) return known.kvm;
  const kvm = await guestRuns('kvm', toolbox, machine);
  await writeFileAtomic(remembered, `${JSON.stringify({ key, kvm })}\n`);
  return kvm;
}

/** Runs a guest of a few instructions in place of a firmware; it ends QEMU with a code. */
export async function guestRuns(
  accelerator: Accelerator,
  toolbox: Toolbox,
  machine: Architecture = 'amd64',
): Promise<boolean> {
  const probe = PROBES[machine];
  const rom = temporaryName(join(tmpdir(), 'slipway-probe'));
  await writeFile(rom, probe.rom());
  const child = startChild([
    ...toolbox.command(probe.program),
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-m', '16'],
    ...['-accel', accelerator, '-cpu', accelerator === 'kvm' ? 'host' : 'max', '-bios', rom],
    ...probe.machine,
  ]);
  const timer = setTimeout(child.kill, PROBE_LIMIT_MS);
  try {
    return (await child.exited).code === probe.exitCode;
  } finally {
    clearTimeout(timer);
    await rm(rom, { force: true });
  }
}

const PROBE_LIMIT_MS = 3000;
const DEBUG_PORT = 0xf4;
const PROBE_VALUE = 42;

interface Probe {
  readonly program: string;
  readonly machine: readonly string[];
  readonly rom: () => Uint8Array;
  readonly exitCode: number;
}

const PROBES: Readonly<Record<Architecture, Probe>> = {
  amd64: {
    program: 'qemu-system-x86_64',
    machine: ['-machine', 'q35', '-device', `isa-debug-exit,iobase=${DEBUG_PORT},iosize=1`],
    rom: probeRom,
    // isa-debug-exit ends QEMU with 2 * value + 1.
    exitCode: 2 * PROBE_VALUE + 1,
  },
  // A guest that does not run its first instructions runs until the time limit, and then QEMU ends by a signal.
  arm64: { program: 'qemu-system-aarch64', machine: ['-machine', 'virt'], rom: armProbeRom, exitCode: 0 },
};

/** It uses what broken virtualisation lacks (x87, SSE). 64 KiB below 4 GiB; the processor starts 16 bytes before its end, in real mode. */
function probeRom(): Uint8Array {
  const rom = Buffer.alloc(0x10000);
  rom.set([
    ...[0xdb, 0xe3], // fninit
    0x9b, // fwait
    ...[0x0f, 0x20, 0xe0], // mov eax, cr4
    ...[0x0d, 0x00, 0x06], // or ax, OSFXSR | OSXMMEXCPT
    ...[0x0f, 0x22, 0xe0], // mov cr4, eax
    ...[0x0f, 0x57, 0xc0], // xorps xmm0, xmm0
    ...[0xb0, PROBE_VALUE], // mov al, value
    ...[0xe6, DEBUG_PORT], // out port, al
    ...[0xf4, 0xeb, 0xfd], // hlt, for ever
  ]);
  rom.set([0xe9, 0x0d, 0x00], 0xfff0); // jmp 0
  return rom;
}

/** PSCI SYSTEM_OFF (Arm DEN 0022), which ends QEMU with 0. */
function armProbeRom(): Uint8Array {
  const rom = Buffer.alloc(4096);
  const code = [
    0x52800100, // mov w0, #8
    0x72b08000, // movk w0, #0x8400, lsl #16
    0xd4000002, // hvc #0
    0x14000000, // b .
  ];
  code.forEach((instruction, place) => rom.writeUInt32LE(instruction, place * 4));
  return rom;
}
