/**
 * What an update costs the machine, under emulation, with a server on the workstation: applying the security round beside copying the slot with `dd` and
 * making its tree with veritysetup, in the same machine; from `slip update apply` to the new version committed; and what asking for nothing new costs.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { loadTufKeys } from '../../updater/repository/keys/load.ts';
import { refreshRepository } from '../../updater/repository/repository/refresh.ts';
import { KEYS } from '../../test/boot/image.ts';
import { ssh } from '../../test/boot/machine.ts';
import { startUpdatingMachine, type UpdatingMachine } from '../../test/boot/update/machine.ts';
import { openTestRepository, type TestRepository } from '../../test/boot/update/repository.ts';
import type { BuiltVersion } from '../../test/boot/update/versions.ts';
import { LIMIT_MS, median } from '../machine.ts';
import { makeSecurityRound, type Built } from './pairs.ts';

export interface DeviceResult {
  readonly image: string;
  readonly rounds: number;
  /** `slip update apply --download-only`: all but the switch. */
  readonly applyMs: number;
  /** `dd` of the running root to the other slot, flushed, and `veritysetup format`. */
  readonly copyMs: number;
  /** Median of the rounds' own ratios of these two. */
  readonly ratio: number;
  /** From `slip update apply` to the status that says committed, restart and soak time included. */
  readonly committedMs: number;
  /** Of the updater's control group, for a poll whose answer has the bytes of the last one, and for one with a timestamp signed anew. */
  readonly pollCpuMs: number;
  readonly pollNewTimestampCpuMs: number;
}

type Round = Pick<DeviceResult, 'applyMs' | 'copyMs' | 'committedMs'>;

const POLLS = 5;
const SECTORS_PER_BLOCK = 8;
const DISK_BYTES = 8 * 1024 ** 3;
/** A poll asks for the timestamp; when that is new, the updater for the next root and for the timestamp again. */
const REQUESTS_OF_NEW_TIMESTAMP = 3;

export async function benchDevice(rounds: number): Promise<DeviceResult> {
  const { from, to } = await makeSecurityRound('bench/images/device.yaml');
  const [first, second] = [describe(from, '1.0.0'), describe(to, '1.0.1')];
  const repository = await openTestRepository('bench');
  try {
    await repository.publish(first, second);
    const measured: Round[] = [];
    for (let round = 0; round < rounds; round++)
      measured.push({
        ...(await applied(first, repository)),
        committedMs: await committed(first, repository),
      });
    const of = (value: (round: Round) => number): number => median(measured.map(value));
    return {
      image: 'device',
      rounds,
      applyMs: of(({ applyMs }) => applyMs),
      copyMs: of(({ copyMs }) => copyMs),
      ratio: of(({ applyMs, copyMs }) => applyMs / copyMs),
      committedMs: of(({ committedMs }) => committedMs),
      ...(await polled(second, repository)),
    };
  } finally {
    await repository.close();
  }
}

async function applied(
  version: BuiltVersion,
  repository: TestRepository,
): Promise<{ applyMs: number; copyMs: number }> {
  return onMachine(version, repository, async (machine) => {
    const copyMs = await timed(machine, copySlot(await rootBlocks(machine)));
    const applyMs = await timed(machine, 'slip update apply --download-only --json >/dev/null');
    return { applyMs, copyMs };
  });
}

/** The slot is filled as `slip update apply` leaves it: data and tree on the medium. The superblock goes at the end, as it was. */
function copySlot(blocks: number): string {
  const device = 'for name in root-a root-b verity-b; do eval "$(find_device)"; done';
  return [
    'find_device() { for file in /sys/class/block/*/uevent; do . "$file"; [ "${PARTNAME:-}" = "$name" ] && echo "$(echo $name | tr - _)=/dev/$DEVNAME"; PARTNAME=; done; }',
    device,
    `dd if=$root_a of=$root_b bs=4096 count=${blocks} conv=fsync 2>/dev/null`,
    `veritysetup format --data-blocks=${blocks} $root_b $verity_b >/dev/null`,
    'sync $verity_b',
    'dd if=/dev/zero of=$verity_b bs=4096 count=1 conv=fsync 2>/dev/null',
  ].join('\n');
}

async function rootBlocks(machine: UpdatingMachine): Promise<number> {
  return Number(await machine.root('cat /sys/block/dm-0/size')) / SECTORS_PER_BLOCK;
}

/** By the machine's own clock: a login is not counted. */
async function timed(machine: UpdatingMachine, script: string): Promise<number> {
  const output = await machine.root(
    `read before rest </proc/uptime\n${script}\nread after rest </proc/uptime\necho $before $after`,
  );
  const [before = NaN, after = NaN] = output.trim().split(/\s+/).slice(-2).map(Number);
  return (after - before) * 1000;
}

async function committed(version: BuiltVersion, repository: TestRepository): Promise<number> {
  return onMachine(version, repository, async (machine) => {
    const start = performance.now();
    await machine.applyAndSettle();
    for (;;) {
      const { committed: kept } = await machine.update('status');
      if ((kept as { version?: string } | undefined)?.version === '1.0.1') return performance.now() - start;
      if (performance.now() - start > LIMIT_MS) throw new Error('the new version was not committed');
      await sleep(200);
    }
  });
}

/** On a machine that has the newest version, so that each look ends with nothing to do. */
async function polled(
  version: BuiltVersion,
  repository: TestRepository,
): Promise<{ pollCpuMs: number; pollNewTimestampCpuMs: number }> {
  const keys = await loadTufKeys(KEYS);
  return onMachine(version, repository, async (machine) => {
    await ssh(machine.access, 'slip update config poll 2s');
    await ssh(machine.access, 'slip update config enabled true');
    const asked = async (count: number): Promise<void> => {
      const until = repository.requests.length + count;
      const limit = performance.now() + LIMIT_MS;
      while (repository.requests.length < until) {
        if (performance.now() > limit) throw new Error('the machine does not poll');
        await sleep(50);
      }
    };
    // The first look reads everything.
    await asked(POLLS);
    const same = await perPoll(machine, repository, () => asked(POLLS));
    const anew = [];
    for (let poll = 0; poll < POLLS; poll++)
      anew.push(
        await cpuMs(machine, async () => {
          await refreshRepository(repository.directory, keys, new Date(Date.now() + (poll + 1) * 60_000));
          await asked(REQUESTS_OF_NEW_TIMESTAMP);
        }),
      );
    return { pollCpuMs: same, pollNewTimestampCpuMs: median(anew) };
  });
}

async function perPoll(
  machine: UpdatingMachine,
  repository: TestRepository,
  body: () => Promise<void>,
): Promise<number> {
  const before = repository.requests.length;
  const spent = await cpuMs(machine, body);
  return spent / (repository.requests.length - before);
}

/** Of everything that the updater ran meanwhile, once it has ended. */
async function cpuMs(machine: UpdatingMachine, body: () => Promise<void>): Promise<number> {
  const before = await usage(machine);
  await body();
  return (await usage(machine)) - before;
}

async function usage(machine: UpdatingMachine): Promise<number> {
  const group = '/sys/fs/cgroup/slipway/update';
  const text = await machine.root(
    `while [ -n "$(cat ${group}/cgroup.procs)" ]; do sleep 0.1; done; cat ${group}/cpu.stat`,
  );
  return Number(/^usage_usec (\d+)$/m.exec(text)?.[1]) / 1000;
}

async function onMachine<T>(
  version: BuiltVersion,
  repository: TestRepository,
  body: (machine: UpdatingMachine) => Promise<T>,
): Promise<T> {
  const machine = await startUpdatingMachine('bench', version, repository, { memoryMiB: 1024 });
  try {
    return await body(machine);
  } finally {
    await machine.close();
  }
}

function describe(built: Built, version: string): BuiltVersion {
  return {
    ...built,
    version,
    architecture: 'amd64',
    user: 'admin',
    debug: false,
    machineDiskBytes: DISK_BYTES,
  };
}
