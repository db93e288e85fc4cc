/** `slipway run`: boots an image in QEMU with Secure Boot on, waits until it is healthy, tells how to log in. */
import { join, resolve } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { loadKeys } from '../builder/keys/load.ts';
import { chooseAccelerator, type AcceleratorChoice } from '../lab/accelerator.ts';
import { consoleTail } from '../lab/console.ts';
import { startSession, type Session } from '../lab/session.ts';
import { ssh, type SshAccess } from '../lab/ssh.ts';
import { labToolbox } from '../lab/toolbox.ts';
import { SlipwayError } from '../spec/error.ts';
import type { MachineReport, MachineStatus } from '../spec/machine.ts';
import type { Architecture } from '../spec/image.ts';
import { architectureOption } from './architecture-option.ts';
import { collect, wholeNumber } from './option-values.ts';
import { terminalProgress } from './progress.ts';
import { prepareDisk } from './run-input.ts';
import { serviceTable } from './service-table.ts';

interface RunOptions {
  readonly memory: number;
  readonly cpus: number;
  readonly sshPort: number;
  readonly port: readonly PortForward[];
  readonly serial?: string;
  readonly accel: AcceleratorChoice;
  readonly snapshot?: true;
  readonly secureBoot: boolean;
  readonly tpm?: true;
  readonly keys: string;
  readonly user?: string;
  readonly limit: number;
  readonly exitWhenHealthy?: true;
  readonly relock?: true;
  readonly locked?: true;
  readonly output?: string;
  readonly profile: readonly string[];
  readonly architecture?: Architecture;
  readonly json?: true;
}

interface PortForward {
  readonly host: number;
  readonly guest: number;
}

const POWER_OFF_LIMIT_MS = 30_000;
const LAST_LOOK_LIMIT_MS = 30_000;

export function runCommand(): Command {
  return new Command('run')
    .description(
      'Boots an image in QEMU under UEFI Secure Boot, waits until every gate is healthy, and tells how to log in.',
    )
    .argument('<image>', 'image definition (built first where needed), or a disk image')
    .option('--memory <MiB>', 'memory of the machine', wholeNumber(64, 1 << 20), 512)
    .option('--cpus <N>', 'processors of the machine', wholeNumber(1, 64), 2)
    .option('--ssh-port <P>', 'port on 127.0.0.1 for SSH (default: any free one)', wholeNumber(0, 65535), 0)
    .option(
      '--port <H:G>',
      'forward port H of 127.0.0.1 to port G of the machine; repeatable',
      portForward,
      [],
    )
    .option('--serial <FILE>', 'where to write what the console prints')
    .addOption(
      new Option('--accel <how>', 'KVM where it was proven to work, or software emulation')
        .choices(['auto', 'kvm', 'tcg'])
        .default('auto'),
    )
    .option('--snapshot', 'forget everything that the machine writes')
    .option('--no-secure-boot', 'firmware without keys, which starts anything')
    .option('--tpm', 'a TPM 2.0, for images that encrypt their state')
    .option('--keys <DIR>', 'keys that the firmware trusts', process.env['SLIPWAY_KEYS'] ?? 'keys')
    .option('--user <NAME>', 'who logs in (default: the first operator that the image names)')
    .option('--profile <NAME>', 'profile of the image definition; repeatable', collect, [])
    .addOption(architectureOption())
    .option('--output <DIR>', 'where to build')
    .option('--locked', 'fail if the lock file does not fit the definition')
    .option(
      '--relock',
      'lock anew where the lock file is missing, stale, or names what the mirror has dropped',
    )
    .option('--limit <seconds>', 'how long it may take until it is healthy', wholeNumber(1, 86400), 180)
    .option('--exit-when-healthy', 'shut down and exit once it is healthy (as without a terminal)')
    .option('--json', 'print the result as JSON')
    .action(boot);
}

async function boot(input: string, options: RunOptions): Promise<void> {
  const progress = terminalProgress();
  const source = await prepareDisk(input, options, progress);
  const toolbox = await progress.step('tools', () => labToolbox(source.architecture));
  const accelerator = await chooseAccelerator(options.accel, toolbox, source.architecture);
  const keys = options.secureBoot ? await loadKeys(resolve(options.keys)) : undefined;
  const set = keys?.sets[source.debug ? 'debug' : 'release'];
  const session = await startSession({
    architecture: source.architecture,
    disk: source.disk,
    directory: `${source.disk}.run`,
    writes: options.snapshot === true ? 'throw-away' : 'keep',
    onStale: (what) => {
      progress.note(what);
    },
    diskSizeBytes: source.machineDiskBytes,
    ...(source.sectorSize === undefined ? {} : { sectorSize: source.sectorSize }),
    ...(set === undefined ? {} : { secureBoot: { PK: set.pk.esl, KEK: set.kek.esl, db: set.db.esl } }),
    // As on a board, it outlives what is on the disk.
    ...(options.tpm === undefined ? {} : { tpm: join(`${source.disk}.run`, 'tpm') }),
    memoryMiB: options.memory,
    cpus: options.cpus,
    sshPort: options.sshPort,
    ports: options.port,
    accelerator,
    toolbox,
    ...(options.serial === undefined ? {} : { console: resolve(options.serial) }),
  });
  let access: SshAccess | undefined;
  const interrupted = interruption();
  try {
    progress.note(`console: ${session.machine.consolePath}`);
    const report = await Promise.race([
      progress.step('boot', () => healthyOrWhy(session, options.user ?? source.user, options.limit * 1000)),
      interrupted.first.then(() => undefined),
    ]);
    if (report === undefined) return;
    access = await session.access(options.user ?? source.user);
    print(report.status, session, access, options, accelerator);
    if (options.exitWhenHealthy === true || !process.stdin.isTTY || !process.stdout.isTTY) return;
    process.stderr.write('\nPress Ctrl-C to shut it down.\n');
    await Promise.race([interrupted.first, endedByItself(session)]);
  } finally {
    // A second Ctrl-C cuts the power.
    void interrupted.second.then(() => session.machine.kill());
    await session.end(options.snapshot === true ? undefined : access, POWER_OFF_LIMIT_MS);
    interrupted.forget();
  }
}

/** What it says about itself goes into the error: the console of a machine that is not healthy mostly shows nothing. */
async function healthyOrWhy(
  session: Session,
  user: string,
  limitMs: number,
): Promise<Extract<MachineReport, { event: 'healthy' }>> {
  try {
    return await session.healthy(limitMs);
  } catch (error) {
    if (!(error instanceof SlipwayError && error.code === 'lab.machine-timeout')) throw error;
    const status = await session
      .access(user)
      .then((access) => ssh(access, 'slip status', { timeoutMs: LAST_LOOK_LIMIT_MS }))
      .catch(() => undefined);
    if (status === undefined) throw error;
    throw new SlipwayError(error.code, `${error.message}\n\n${status.stdout.toString('utf8')}`, {
      cause: error,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

async function endedByItself(session: Session): Promise<void> {
  await session.machine.exited;
  const text = session.machine.console();
  process.stderr.write(`\nThe machine ended; its console's last lines:\n${consoleTail(text, 10)}\n`);
}

function print(
  status: MachineStatus,
  session: Session,
  access: SshAccess,
  options: RunOptions,
  accelerator: string,
): void {
  const { machine } = session;
  if (options.json === true) {
    const result = {
      status,
      accelerator,
      sshPort: machine.sshPort,
      ssh: access.command,
      console: machine.consolePath,
    };
    process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
    return;
  }
  const { image } = status;
  const log = access.command.join(' ');
  process.stdout.write(
    `\n${image.name} ${image.version} is healthy after ${(status.uptimeMs / 1000).toFixed(1)} s (${accelerator}), slot ${status.slot}\n\n` +
      `${serviceTable(status)}\n\n` +
      `Log in:   ${log}\n` +
      `Console:  ${machine.consolePath}\n`,
  );
}

/** Ctrl-C and SIGTERM: the first asks, the second insists. */
function interruption(): { first: Promise<void>; second: Promise<void>; forget: () => void } {
  let count = 0;
  const calls: (() => void)[] = [];
  const first = new Promise<void>((resolve) => calls.push(resolve));
  const second = new Promise<void>((resolve) => calls.push(resolve));
  const onSignal = (): void => calls[count++]?.();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  return {
    first,
    second,
    forget: () => {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

function portForward(text: string, earlier: readonly PortForward[]): readonly PortForward[] {
  const match = /^(\d{1,5}):(\d{1,5})$/.exec(text);
  const [host, guest] = [Number(match?.[1]), Number(match?.[2])];
  if (match === null || host > 65535 || guest < 1 || guest > 65535) {
    throw new InvalidArgumentError('HOST:GUEST is needed, as in 8080:80');
  }
  return [...earlier, { host, guest }];
}
