/** Turns a running Linux machine into one of Slipway's, over SSH: everything that it takes lies in its memory before its disk is touched. */
import { createHash } from 'node:crypto';
import { readFile, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlipwayError } from '../../spec/error.ts';
import type { MachineStatus } from '../../spec/machine.ts';
import { readTable } from '../export/grown-disk.ts';
import { requireBuild, type ExportSource } from '../export/source.ts';
import type { SparseDisk } from '../export/sparse-disk.ts';
import type { Progress } from '../progress.ts';
import { onMachine, type SshAddress, type SshOptions } from './address.ts';
import { writePayload } from './payload.ts';
import { planTakeover, type TakeoverPlan } from './plan.ts';
import { probeMachine, type RemoteMachine } from './probe.ts';
import { takeoverPrograms } from './programs.ts';
import { takeoverScript } from './scripts.ts';
import { withSeededState, type SeedDocuments } from './seeded-state.ts';
import { waitUntilHealthy } from './wait.ts';

export interface TakeoverOptions {
  readonly ssh: SshOptions;
  readonly disk?: string;
  /** DER of the CA that the image is signed under. */
  readonly trustAnchor: Uint8Array;
  /** From what the machine was to what it is told on its first boot. */
  readonly seed: (machine: RemoteMachine) => SeedDocuments;
  /** Called before anything is changed; false ends it there. */
  readonly confirm: (plan: TakeoverPlan, machine: RemoteMachine) => Promise<boolean>;
  /** Who logs in on the new system, and where when that is another address. */
  readonly after: {
    readonly user: string;
    readonly host?: string;
    readonly port?: number;
    readonly limitMs: number;
  };
  readonly progress: Progress;
}

/** In memory, on any distribution. */
const FOLDER = '/run/slipway-takeover';
const UPLOAD_LIMIT_MS = 3_600_000;
const WRITE_LIMIT_MS = 3_600_000;

/** `undefined`: `confirm` said no, and nothing was changed. Throws `install.*`. */
export async function takeOver(
  source: ExportSource,
  address: SshAddress,
  options: TakeoverOptions,
): Promise<MachineStatus | undefined> {
  const { progress, ssh } = options;
  const build = requireBuild(source, 'install');
  const machine = await progress.step('look', () => probeMachine(address, ssh));
  const table = await readTable(source.disk);
  const seed = options.seed(machine);
  const pack = <T>(use: (disk: SparseDisk) => Promise<T>): Promise<T> =>
    Object.keys(seed).length === 0
      ? use(source.disk)
      : withSeededState(source.disk, table, { toolbox: build.toolbox, epoch: source.epoch, seed }, use);
  const scratch = await mkdtemp(join(tmpdir(), 'slipway-takeover-'));
  try {
    const payload = join(scratch, 'payload.zst');
    const regions = await progress.step('pack', () =>
      pack((disk) => writePayload(disk, table, payload, build.toolbox)),
    );
    const payloadBytes = (await stat(payload)).size;
    const plan = planTakeover(
      machine,
      {
        ...{ name: build.name, version: build.version, architecture: build.architecture },
        ...{ sectorSize: source.sectorSize, diskBytes: source.disk.sizeBytes },
        ...{ payloadBytes, trustAnchor: options.trustAnchor },
      },
      options.disk,
    );
    if (!(await options.confirm(plan, machine))) return undefined;
    const files = new Map([
      ...(await takeoverPrograms(build.root)),
      ['write.sh', Buffer.from(takeoverScript('write.sh'))],
      ['regions', Buffer.from(regions)],
      ['payload.zst', await readFile(payload)],
    ]);
    await progress.step('upload', () => upload(address, ssh, files, payloadBytes));
    await progress.step('write', () => write(address, ssh, plan, progress));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  const { user, host = address.host, port = 22, limitMs } = options.after;
  return progress.step('start', () => waitUntilHealthy({ user, host, port }, ssh, limitMs));
}

/** Until here an interruption leaves the machine as it was, but for the memory. */
async function upload(
  address: SshAddress,
  ssh: SshOptions,
  files: ReadonlyMap<string, Buffer>,
  payloadBytes: number,
): Promise<void> {
  const sizeMiB = Math.ceil(payloadBytes / 1024 ** 2) + 32;
  await onMachine(
    address,
    ssh,
    // What an earlier attempt left is dropped; a mount of its own, since /run may forbid programs, or be small.
    `umount ${FOLDER} 2>/dev/null; mkdir -p ${FOLDER} && mount -t tmpfs -o mode=0700,size=${sizeMiB}m slipway ${FOLDER}`,
  );
  for (const [name, bytes] of files) {
    const mode = /^(ld|busybox|zstd)$/.test(name) ? '0755' : '0644';
    await onMachine(address, ssh, `cat >${FOLDER}/${name} && chmod ${mode} ${FOLDER}/${name}`, {
      input: bytes,
      timeoutMs: UPLOAD_LIMIT_MS,
    });
  }
  const sums = [...files].map(
    ([name, bytes]) => `${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`,
  );
  await onMachine(address, ssh, `cd ${FOLDER} && ./ld --library-path . ./busybox sha256sum -c -s -`, {
    input: sums.join(''),
    timeoutMs: 300_000,
  }).catch((cause: unknown) => {
    throw new SlipwayError('install.upload', 'what was uploaded does not run there, or arrived damaged', {
      cause,
      hint: 'nothing was changed on the machine; try again',
    });
  });
}

/** The connection ends with the machine. */
async function write(
  address: SshAddress,
  ssh: SshOptions,
  { disk }: TakeoverPlan,
  progress: Progress,
): Promise<void> {
  let said = '';
  const started = `cd ${FOLDER} && exec ./ld --library-path . ./busybox setsid ./ld --library-path . ./busybox sh ./write.sh /dev/${disk.name} ${disk.sizeBytes / 512}`;
  const end = await onMachine(address, ssh, started, {
    timeoutMs: WRITE_LIMIT_MS,
    onOutput: (text) => {
      said += text;
      for (const line of text.split('\n')) if (line.trim() !== '') progress.note(line.trim());
    },
  }).then(
    () => undefined,
    (error: unknown) => error,
  );
  const failed = /^FAILED: (.*)$/m.exec(said)?.[1];
  if (failed !== undefined) throw new SlipwayError('install.write', failed, { cause: end });
}
