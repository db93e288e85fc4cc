/** A machine whose power is cut: QEMU is killed, and started again on the same disk and the same firmware variables. */
import { copyFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../../../lab/machine.ts';
import { ssh as sshRun, type SshAccess } from '../../../lab/ssh.ts';
import type { MachineStatus } from '../../../spec/machine.ts';
import { expectQuietConsole, HEALTHY_LIMIT_MS, ssh, sshAccess, startTestMachine } from '../machine.ts';
import type { Cut } from './cuts.ts';
import { UPDATE_WORK, type BuiltVersion } from './versions.ts';

/** From a start of the machine to its end: cut off, restarted by itself, or committed and at rest. */
export type End = 'cut' | 'restarted' | 'committed';

export interface PoweredMachine {
  /** Starts it, checks that it comes up with one of both versions, has it go on with the update, and cuts it off. */
  readonly live: (cut: Cut | undefined) => Promise<End>;
  /** As it was when it had been set up. */
  readonly rewind: () => Promise<void>;
  readonly close: () => Promise<void>;
}

const FILES = ['qcow2', 'variables'] as const;
/** For what the machine does by itself once it is healthy. */
const COMMIT_LIMIT_MS = 120_000;
/** Between the end of a connection and QEMU's word that the machine is off. */
const LAST_WORDS_MS = 20_000;

export async function setUpPoweredMachine(
  name: string,
  versions: { readonly old: BuiltVersion; readonly next: BuiltVersion },
  url: string,
  random: () => number,
): Promise<PoweredMachine> {
  const path = (kind: (typeof FILES)[number], copy = ''): string =>
    join(UPDATE_WORK, `${name}${copy}.${kind}`);
  const remove = async (): Promise<void> => {
    for (const kind of FILES) for (const copy of ['', '-saved']) await rm(path(kind, copy), { force: true });
  };
  const start = (cut: Cut | undefined): Promise<Machine> =>
    startTestMachine({
      name,
      disk: versions.old.disk,
      diskSizeBytes: versions.old.machineDiskBytes,
      overlay: path('qcow2'),
      variableStore: path('variables'),
      memoryMiB: 512,
      extraArguments: [
        // Whatever resets the machine leaves it standing, and QEMU's caches unwritten, until it is killed.
        ...['-action', 'reboot=shutdown,shutdown=pause'],
        ...(cut === undefined || cut === 'random'
          ? []
          : ['-fw_cfg', `name=opt/org.slipway/cut-at,string=${cut}`]),
      ],
    });
  await remove();
  const machine = await start(undefined);
  await machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
  await ssh(await sshAccess(machine, versions.old.user), `slip update config url ${url}`);
  await machine.kill();
  await machine.close();
  for (const kind of FILES) await copyFile(path(kind), path(kind, '-saved'));

  return {
    live: async (cut) => {
      const running = await start(cut);
      const started = Date.now();
      try {
        const end = await liveThrough(running, versions, cut, random);
        expectQuietConsole(running);
        process.stderr.write(
          `${cut ?? 'no cut'}: ${end} after ${Math.round((Date.now() - started) / 1000)} s\n`,
        );
        return end;
      } finally {
        await running.kill();
        await running.close();
      }
    },
    rewind: async () => {
      for (const kind of FILES) await copyFile(path(kind, '-saved'), path(kind));
    },
    close: remove,
  };
}

async function liveThrough(
  machine: Machine,
  { old, next }: { readonly old: BuiltVersion; readonly next: BuiltVersion },
  cut: Cut | undefined,
  random: () => number,
): Promise<End> {
  const off = machine
    .waitForEvent('SHUTDOWN', 3 * HEALTHY_LIMIT_MS)
    .then((): End => (machine.reports.some(({ event }) => event === 'shutdown') ? 'restarted' : 'cut'));
  off.catch(() => undefined);
  const started = Date.now();
  const healthy = machine.waitForReport('healthy', HEALTHY_LIMIT_MS);
  healthy.catch(() => undefined);
  const first = await Promise.race([healthy, off]);
  if (typeof first === 'string') return first;
  const startMs = Date.now() - started;
  expectSound(first.status, [old.version, next.version]);
  const access = await Promise.race([untilOff(sshAccess(machine, old.user), off), off]);
  if (typeof access === 'string') return access;
  if (first.status.image.version === next.version)
    return Promise.race([off, untilOff(committed(access, next.version), off)]);
  // It ends with the machine; what it says otherwise, only a failure shows.
  const applied = sshRun(access, 'slip update apply --json', { timeoutMs: 3 * HEALTHY_LIMIT_MS });
  const refused = untilOff(applied, off).then(() => off);
  refused.catch(() => undefined);
  // An update takes about half as long as a start of the machine, on whatever this runs.
  const chance = cut === 'random' ? [sleep((random() * startMs) / 2).then((): End => 'cut')] : [];
  return Promise.race([off, refused, ...chance]);
}

/** What fails because the machine is cut off has not failed. */
async function untilOff<T>(work: Promise<T>, off: Promise<End>): Promise<T | End> {
  return work.catch((error: unknown) =>
    Promise.race([off, sleep(LAST_WORDS_MS).then(() => Promise.reject(error as Error))]),
  );
}

async function committed(access: SshAccess, version: string): Promise<End> {
  for (const end = Date.now() + COMMIT_LIMIT_MS; ; await sleep(1000)) {
    const status = JSON.parse(await ssh(access, 'slip update status --json')) as {
      state: string;
      committed: { version: string } | null;
    };
    if (status.state === 'idle' && status.committed?.version === version) return 'committed';
    if (Date.now() > end) throw new Error(`${version} runs, and is not committed: ${JSON.stringify(status)}`);
  }
}

function expectSound({ boot, problems, image }: MachineStatus, versions: readonly string[]): void {
  if (boot !== 'healthy' || problems.length > 0 || !versions.includes(image.version))
    throw new Error(`the machine came up with ${image.version}, ${boot}: ${problems.join('; ')}`);
}
