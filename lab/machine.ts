/** A virtual machine: QEMU, OVMF with Secure Boot under given keys, and the sockets through which it is watched and steered. */
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from '../builder/process/run.ts';
import { SlipwayError } from '../spec/error.ts';
import type { Architecture } from '../spec/image.ts';
import type { MachineReport } from '../spec/machine.ts';
import { startChild, type Child, type ChildExit } from './child.ts';
import { consoleTail, scanConsole, type ConsoleFinding } from './console.ts';
import { listenOnce, readLines } from './lines.ts';
import { writeVariableStore, type FirmwareVariable, type SecureBootVariables } from './ovmf-vars.ts';
import { openQmp, type Qmp, type QmpEvent } from './qmp.ts';
import {
  qemuCommand,
  SSH_PORT,
  type Accelerator,
  type DiskBus,
  type DiskFormat,
  type NetworkCard,
  type DiskOptions,
} from './qemu.ts';
import { notStarted } from './not-started.ts';
import { openSignals } from './signals.ts';
import { startTpm } from './tpm.ts';
import { labToolbox, type Toolbox } from './toolbox.ts';

export interface MachineOptions {
  /** amd64 unless told; another one than the workstation's is emulated. */
  readonly architecture?: Architecture;
  /** Disk image; never written. */
  readonly disk: string;
  /** raw unless told. */
  readonly diskFormat?: DiskFormat;
  /** qcow2 file over it that keeps what the machine writes, made when missing. Without: gone with the machine. */
  readonly overlay?: string;
  /** What the machine sees as the disk's size; at least the image's. */
  readonly diskSizeBytes?: number;
  readonly diskBus?: DiskBus;
  readonly sectorSize?: 512 | 4096;
  /** virtio's unless told. */
  readonly networkCard?: NetworkCard;
  /** `closed`: the first card's network is QEMU's alone, not even the workstation can be reached; `open` unless told. */
  readonly outside?: 'open' | 'closed';
  readonly extraDisks?: readonly DiskOptions[];
  /** Keys in the firmware's variables; `undefined`: Secure Boot off (setup mode). */
  readonly secureBoot?: SecureBootVariables;
  readonly variables?: readonly FirmwareVariable[];
  /** File with the firmware's variables that is kept between runs, made when missing. */
  readonly variableStore?: string;
  readonly kernel?: { readonly image: string; readonly initrd?: string; readonly commandLine: string };
  readonly memoryMiB?: number;
  readonly cpus?: number;
  readonly accelerator?: Accelerator;
  /** TCP ports forwarded from 127.0.0.1; host 0: any free one. */
  readonly ports?: readonly { readonly host: number; readonly guest: number }[];
  /** File with public keys for the image's operators. */
  readonly authorizedKeys?: string;
  readonly smbiosStrings?: readonly string[];
  /** `never`: a reset ends the machine. */
  readonly restart?: 'on-reset' | 'never';
  /** Where the console is written. */
  readonly console?: string;
  /** `false`: a machine without the port for reports; `waitForReport` then waits in vain. */
  readonly reportPort?: false;
  /** `false`: a machine without a UART, whose console is its screen (if it has one). */
  readonly serialPort?: false;
  /** Folder of a TPM 2.0, made when missing; what it keeps outlives the machine. */
  readonly tpm?: string;
  readonly toolbox?: Toolbox;
  readonly extraArguments?: readonly string[];
}

export interface Machine {
  /** Log of the serial console; kept after `close`. */
  readonly consolePath: string;
  /** Port on 127.0.0.1 that leads to a port of the guest. */
  readonly port: (guest: number) => number;
  readonly sshPort: number;
  /** Everything it reported so far. */
  readonly reports: readonly MachineReport[];
  readonly events: readonly QmpEvent[];
  /** The next report with this event since the machine's last reset (one that came already counts). Throws when QEMU ends before, or after `limitMs`. */
  readonly waitForReport: <Event extends MachineReport['event']>(
    event: Event,
    limitMs?: number,
  ) => Promise<Extract<MachineReport, { event: Event }>>;
  /** Waits until the console holds the pattern; `fromOffset` skips what it printed before (see `console`). */
  readonly waitForConsole: (pattern: RegExp, limitMs?: number, fromOffset?: number) => Promise<string>;
  /** Waits for a QMP event (RESET, SHUTDOWN, WATCHDOG) after `seen` events (`events.length` earlier on). */
  readonly waitForEvent: (name: string, limitMs?: number, seen?: number) => Promise<QmpEvent>;
  /** Types on the console. */
  readonly type: (text: string) => void;
  /** All that the console printed so far. */
  readonly console: () => string;
  readonly scanConsole: () => ConsoleFinding[];
  readonly qmp: Qmp;
  /** The power button. */
  readonly powerdown: () => Promise<void>;
  /** The reset button. */
  readonly reset: () => Promise<void>;
  /** A power cut. Resolves when QEMU is gone. */
  readonly kill: () => Promise<void>;
  readonly exited: Promise<ChildExit>;
  /** Power cut if it still runs, and removes everything but the console's log. */
  readonly close: () => Promise<void>;
}

const DEFAULT_LIMIT_MS = 180_000;

/** Starts a machine; resolves as soon as QEMU runs it. */
export async function startMachine(options: MachineOptions): Promise<Machine> {
  const architecture = options.architecture ?? 'amd64';
  const toolbox = options.toolbox ?? (await labToolbox(architecture));
  const directory = await mkdtemp(join(tmpdir(), 'slipway-machine-'));
  const consolePath = options.console ?? `${directory}.console.log`;
  await mkdir(dirname(consolePath), { recursive: true });
  await writeFile(consolePath, '');
  const sockets = {
    qmp: await listenOnce(join(directory, 'qmp')),
    console: await listenOnce(join(directory, 'console')),
    report: await listenOnce(join(directory, 'report')),
  };
  const disk = await overlayDisk(toolbox, options, directory);
  const firmware =
    options.kernel === undefined
      ? await prepareFirmware(toolbox, { ...options, architecture }, directory)
      : undefined;
  const tpm = options.tpm === undefined ? undefined : await startTpm(toolbox, options.tpm, directory);
  const argv = qemuCommand(toolbox, {
    architecture,
    accelerator: options.accelerator ?? 'tcg',
    memoryMiB: options.memoryMiB ?? 512,
    cpus: options.cpus ?? 2,
    disks: [disk, ...(options.extraDisks ?? [])],
    ...(firmware === undefined ? {} : { firmware }),
    ...(options.kernel === undefined ? {} : { kernel: options.kernel }),
    sockets: {
      qmp: sockets.qmp.path,
      ...(options.serialPort === false ? {} : { console: sockets.console.path }),
      ...(options.reportPort === false ? {} : { report: sockets.report.path }),
    },
    consoleLog: consolePath,
    ports: [{ host: 0, guest: SSH_PORT }, ...(options.ports ?? [])].filter(
      (port, index, all) => index > 0 || !all.slice(1).some((other) => other.guest === port.guest),
    ),
    ...(options.authorizedKeys === undefined ? {} : { authorizedKeys: options.authorizedKeys }),
    ...(tpm === undefined ? {} : { tpm: tpm.socket }),
    networkCard: options.networkCard ?? 'virtio-net-pci',
    outside: options.outside ?? 'open',
    smbiosStrings: options.smbiosStrings ?? [],
    restart: options.restart ?? 'on-reset',
    extra: options.extraArguments ?? [],
  });

  const child = startChild(argv);
  const reports: MachineReport[] = [];
  const events: QmpEvent[] = [];
  let printed = '';
  let bootStart = 0;
  let gone = false;
  const signals = openSignals();
  void child.exited.then((exit) => {
    gone = true;
    tpm?.child.kill();
    for (const listener of Object.values(sockets)) listener.close();
    signals.fail(
      new SlipwayError('lab.machine-ended', `the machine ended\n${exit.stderr}\n${consoleTail(printed)}`, {
        hint: `its console is in ${consolePath}`,
      }),
    );
  });
  let keyboard: Socket | undefined;
  void sockets.console.connected.then((socket) => {
    keyboard = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      printed += chunk;
      signals.notify();
    });
  });
  void sockets.report.connected.then((socket) => {
    readLines(socket, (line) => {
      const report = parseReport(line);
      if (report !== undefined) reports.push(report);
      signals.notify();
    });
  });
  const connect = async (): Promise<{ qmp: Qmp; forwarded: Map<number, number> }> => {
    const qmp = await openQmp(await Promise.race([sockets.qmp.connected, early(child)]), (event) => {
      events.push(event);
      if (event.event === 'RESET') bootStart = reports.length;
      signals.notify();
    });
    return { qmp, forwarded: parseForwards(await qmp.monitor('info usernet')) };
  };
  const { qmp, forwarded } = await connect().catch(async (cause: unknown) => {
    // QEMU connects before it opens its disks and ports: what is wrong with those stands in its last words alone.
    child.kill();
    const { stderr } = await child.exited;
    await tpm?.child.exited;
    await rm(directory, { recursive: true, force: true });
    throw notStarted(stderr, cause);
  });

  const limitText = (limitMs: number): string => `within ${Math.round(limitMs / 1000)} s`;
  const timeout = (what: string, limitMs: number) => (): SlipwayError =>
    new SlipwayError(
      'lab.machine-timeout',
      `the machine did not ${what} ${limitText(limitMs)}; its console ends with\n${consoleTail(printed)}`,
      { hint: `its console is in ${consolePath}` },
    );
  const kill = async (): Promise<void> => {
    child.kill();
    await child.exited;
    // What it keeps is written: another machine may have it.
    await tpm?.child.exited;
  };
  const port = (guest: number): number => {
    const found = forwarded.get(guest);
    if (found === undefined)
      throw new SlipwayError('lab.no-port', `port ${guest} of the machine is not forwarded`);
    return found;
  };
  return {
    consolePath,
    port,
    get sshPort() {
      return port(SSH_PORT);
    },
    reports,
    events,
    waitForReport: (event, limitMs = DEFAULT_LIMIT_MS) =>
      signals.wait(
        () => reports.slice(bootStart).find((report) => report.event === event),
        limitMs,
        timeout(`report "${event}"`, limitMs),
      ) as Promise<never>,
    waitForConsole: (pattern, limitMs = DEFAULT_LIMIT_MS, fromOffset = 0) =>
      signals.wait(
        () => pattern.exec(printed.slice(fromOffset))?.[0],
        limitMs,
        timeout(`print ${String(pattern)}`, limitMs),
      ),
    waitForEvent: (name, limitMs = DEFAULT_LIMIT_MS, seen = 0) =>
      signals.wait(
        () => events.slice(seen).find((event) => event.event === name),
        limitMs,
        timeout(`come to ${name}`, limitMs),
      ),
    type: (text) => void keyboard?.write(text),
    console: () => printed,
    scanConsole: () => scanConsole(printed),
    qmp,
    powerdown: async () => {
      await qmp.execute('system_powerdown');
    },
    reset: async () => {
      await qmp.execute('system_reset');
    },
    kill,
    exited: child.exited,
    close: async () => {
      if (!gone) await kill();
      await tpm?.child.exited;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A copy-on-write overlay: the image itself is neither written nor copied. */
async function overlayDisk(
  toolbox: Toolbox,
  options: MachineOptions,
  directory: string,
): Promise<DiskOptions> {
  const path = options.overlay ?? join(directory, 'disk.qcow2');
  const size = options.diskSizeBytes === undefined ? [] : [String(options.diskSizeBytes)];
  if (options.overlay === undefined || !existsSync(options.overlay)) {
    await run([
      ...toolbox.command('qemu-img'),
      ...['create', '-q', '-f', 'qcow2', '-F', options.diskFormat ?? 'raw', '-b', options.disk, path],
      ...size,
    ]);
  }
  return {
    path,
    format: 'qcow2',
    ...(options.diskBus === undefined ? {} : { bus: options.diskBus }),
    ...(options.sectorSize === undefined ? {} : { sectorSize: options.sectorSize }),
  };
}

const FIRMWARE: Readonly<Record<Architecture, { readonly code: string; readonly variables: string }>> = {
  amd64: { code: '/usr/share/OVMF/OVMF_CODE_4M.secboot.fd', variables: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
  arm64: { code: '/usr/share/AAVMF/AAVMF_CODE.secboot.fd', variables: '/usr/share/AAVMF/AAVMF_VARS.fd' },
};

async function prepareFirmware(
  toolbox: Toolbox,
  options: MachineOptions & { readonly architecture: Architecture },
  directory: string,
): Promise<{ code: string; variables: string }> {
  const firmware = FIRMWARE[options.architecture];
  const variables = options.variableStore ?? join(directory, 'variables.fd');
  if (!existsSync(variables)) {
    const template = await readFile(toolbox.file(firmware.variables));
    await writeFile(variables, writeVariableStore(template, options.secureBoot, options.variables));
  }
  // A private copy: QEMU locks the file, and two machines may not share one.
  const code = join(directory, 'code.fd');
  await copyFile(toolbox.file(firmware.code), code, constants.COPYFILE_FICLONE);
  return { code, variables };
}

async function early(child: Child): Promise<never> {
  const { code } = await child.exited;
  throw new SlipwayError('lab.qmp', `QEMU ended with ${code ?? 'a signal'}`);
}

function parseReport(line: string): MachineReport | undefined {
  try {
    return JSON.parse(line) as MachineReport;
  } catch {
    // A machine that is cut off mid-line leaves half a report.
    return undefined;
  }
}

/** `TCP[HOST_FORWARD]  8  127.0.0.1 45375  10.0.2.15 22  0 0` */
function parseForwards(text: string): Map<number, number> {
  const ports = new Map<number, number>();
  for (const match of text.matchAll(/TCP\[HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+(\d+)/g)) {
    ports.set(Number(match[2]), Number(match[1]));
  }
  return ports;
}
