/** What boot tests share: a machine under our own Secure Boot keys, logging in, and a console that is looked through at the end. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SecureBootVariables } from '../../lab/ovmf-vars.ts';
import type { ConsoleFinding } from '../../lab/console.ts';
import { chooseAccelerator } from '../../lab/accelerator.ts';
import { startMachine, type Machine, type MachineOptions } from '../../lab/machine.ts';
import { prepareSsh, ssh as sshRun, sshKey, type SshAccess } from '../../lab/ssh.ts';
import { labToolbox } from '../../lab/toolbox.ts';
import type { DiskSource } from '../../cli/run-input.ts';
import type { MachineStatus } from '../../spec/machine.ts';
import { buildTestImage, testKeys, WORK } from './image.ts';

export interface TestMachineOptions extends Partial<MachineOptions> {
  readonly disk: string;
  /** Names the console's log. */
  readonly name: string;
  /** Which world's keys the firmware trusts; `none`: Secure Boot off. */
  readonly trust?: 'release' | 'debug' | 'none';
  /** Faults on the console that the test provokes. */
  readonly expected?: readonly ConsoleFinding['kind'][];
}

/** How long a machine may take until it is healthy; software emulation on a busy workstation is slow. */
export const HEALTHY_LIMIT_MS = 180_000;

/** Runs `body` with a machine; ends it, and fails on any unexpected fault on its console. */
export async function withMachine<T>(
  options: TestMachineOptions,
  body: (machine: Machine) => Promise<T>,
): Promise<T> {
  const machine = await startTestMachine(options);
  try {
    const result = await body(machine);
    expectQuietConsole(machine, options.expected);
    return result;
  } finally {
    await machine.close();
  }
}

/** A machine that several tests share: end it with `machine.close()`, and look through its console with `expectQuietConsole`. */
export async function startTestMachine(options: TestMachineOptions): Promise<Machine> {
  const { name, trust, expected: _expected, ...rest } = options;
  const toolbox = await labToolbox(rest.architecture);
  const logs = join(WORK, 'console');
  await mkdir(logs, { recursive: true });
  const key = await sshKey(join(WORK, 'ssh'));
  const secureBoot = await trusted(trust ?? 'release');
  const machine = await startMachine({
    toolbox,
    accelerator: await chooseAccelerator('auto', toolbox, rest.architecture),
    // One processor: two machines run at once, and firmware in system management mode is slower with more.
    cpus: 1,
    authorizedKeys: key.publicKey,
    console: join(logs, `${name}.log`),
    ...(secureBoot === undefined ? {} : { secureBoot }),
    ...rest,
  });
  process.stderr.write(`console of ${name}: ${machine.consolePath}\n`);
  return machine;
}

/** Builds an image and starts a machine of it that several tests share, as `startTestMachine` does; ready when it is healthy. */
export async function startHealthy(
  image: string,
  options: Omit<TestMachineOptions, 'disk'>,
): Promise<{ source: DiskSource; machine: Machine; status: MachineStatus; access: SshAccess }> {
  const source = await buildTestImage(image);
  const machine = await startTestMachine({
    architecture: source.architecture,
    disk: source.disk,
    diskSizeBytes: source.machineDiskBytes,
    ...options,
  });
  try {
    return { source, machine, ...(await healthyMachine(machine, source.user)) };
  } catch (error) {
    await machine.close();
    throw error;
  }
}

/** A healthy machine, its status, and a way to log in. */
export async function healthyMachine(
  machine: Machine,
  user: DiskSource['user'],
): Promise<{ status: MachineStatus; access: SshAccess }> {
  const { status } = await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
  return { status, access: await sshAccess(machine, user) };
}

export async function sshAccess(machine: Machine, user: DiskSource['user']): Promise<SshAccess> {
  const directory = join(WORK, 'ssh', `${machine.sshPort}-${user}`);
  await mkdir(directory, { recursive: true });
  const key = await sshKey(join(WORK, 'ssh'));
  return prepareSsh(directory, { key, port: machine.sshPort, user });
}

/** Runs a command on the machine through OpenSSH; throws when it exits non-zero. */
export async function ssh(access: SshAccess, command: string, input?: string): Promise<string> {
  const options = { timeoutMs: HEALTHY_LIMIT_MS, ...(input === undefined ? {} : { input }) };
  const result = await sshRun(access, command, options);
  return result.stdout.toString('utf8');
}

/** `slip status --json` on the machine. */
export async function slipStatus(access: SshAccess): Promise<MachineStatus> {
  return JSON.parse(await ssh(access, 'slip status --json')) as MachineStatus;
}

export function expectQuietConsole(machine: Machine, allowed: readonly ConsoleFinding['kind'][] = []): void {
  const findings = machine.scanConsole().filter(({ kind }) => !allowed.includes(kind));
  if (findings.length === 0) return;
  const lines = findings.map(({ line, text }) => `${line}: ${text}`);
  throw new Error(`faults on the console (${machine.consolePath})\n${lines.join('\n')}`);
}

async function trusted(world: 'release' | 'debug' | 'none'): Promise<SecureBootVariables | undefined> {
  if (world === 'none') return undefined;
  const { pk, kek, db } = (await testKeys()).sets[world];
  return { PK: pk.esl, KEK: kek.esl, db: db.esl };
}
