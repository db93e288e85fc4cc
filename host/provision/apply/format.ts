/** Makes file systems. ext4 is the image's own empty one, with an identity of its own: no mke2fs is in the image. */
import { MACHINE_PATHS } from '../../../spec/machine.ts';
import type { System } from '../../../system/system.ts';
import { PROGRAMS } from '../../slipd/paths.ts';
import type { FormatAction } from '../plan/step.ts';
import { contentOf, deviceBytes, devicesInUse, readDisks } from './block-devices.ts';
import { busybox, run } from './command.ts';
import { withIdentity } from './ext4.ts';
import { done, failed, type StepResult } from './result.ts';
import { flush, unfinished, whileWriting, wipeEnds, writeAt } from './writing.ts';

const ZSTD = '/usr/bin/zstd';
const RESIZE = '/usr/sbin/resize2fs';
/** As large as the image's empty file system. */
const EXT4_LEAST_BYTES = 64 * 1024 * 1024;
/** Written last: without it nothing there looks whole. */
const HELD_BACK = 65_536;

export async function applyFormat(system: System, action: FormatAction): Promise<StepResult> {
  const { device, type, label, overwrite } = action;
  const disk = readDisks(system).find(
    (one) => one.path === device || one.partitions.some(({ path }) => path === device),
  );
  if (disk === undefined) return failed(`there is no device ${device}`);
  if (disk.own) return failed(`${device} belongs to the disk that this machine runs from`);
  const content = unfinished(system, device) ? { kind: 'empty' as const } : contentOf(system, device);
  const named =
    content.kind === 'known' && content.type === type && (label === null || content.label === label);
  if (named) return done(false);
  if (devicesInUse(system).has(device)) return failed(`${device} is in use`);
  const allowed =
    content.kind === 'empty' ||
    overwrite === 'replace' ||
    (typeof overwrite === 'object' && content.kind === 'known' && content.type === overwrite.type);
  if (!allowed) return failed(`${device} is not empty`);
  const once = content.kind === 'empty' || overwrite === 'if-empty' ? null : JSON.stringify(action);
  const problem = await whileWriting(system, device, once, () => format(system, action));
  return problem === undefined ? done(true) : failed(problem);
}

async function format(system: System, action: FormatAction): Promise<string | undefined> {
  const { device, type, label, options } = action;
  const problem = wipeEnds(system, device, 0, deviceBytes(system, device)) ?? (await flush(system, device));
  if (problem !== undefined) return problem;
  if (type === 'ext4') return formatExt4(system, device, label);
  const named = (flag: string): readonly string[] => (label === null ? [] : [flag, label]);
  const { code, says } =
    type === 'vfat'
      ? await busybox(system, ['mkdosfs', ...named('-n'), device])
      : type === 'swap'
        ? await busybox(system, ['mkswap', ...named('-L'), device])
        : await run(system, [makerOf(system, type), ...named('-L'), ...options, device]);
  if (code !== 0) return `${type} cannot be made on ${device}: ${says}`;
  return flush(system, device);
}

async function formatExt4(system: System, device: string, label: string | null): Promise<string | undefined> {
  if (deviceBytes(system, device) < EXT4_LEAST_BYTES)
    return `${device} is smaller than 64 MiB: too small for ext4`;
  const image = MACHINE_PATHS.emptyState;
  // Twice through zstd: 64 MiB of zeros, mostly. The second time for its first blocks, which come last.
  const ends = system.pipe();
  const unpacked = new Promise<number>((resolve) => {
    const pid = system.spawn([ZSTD, '-dqc', image], { stdout: ends.write, stderr: 2, onExit: resolve });
    if (pid < 0) resolve(127);
  });
  system.close(ends.write);
  const copied = await run(
    system,
    [
      ...[PROGRAMS.busybox, 'dd', `of=${device}`, `bs=${HELD_BACK}`],
      ...['skip=1', 'seek=1', 'iflag=fullblock', 'conv=notrunc,fsync'],
    ],
    ends.read,
  );
  system.close(ends.read);
  if ((await unpacked) !== 0) return `${image} cannot be unpacked onto ${device}`;
  if (copied.code !== 0) return `${device} cannot be written: ${copied.says}`;
  const first = firstBytes(system, image);
  if (first === undefined) return `${image} cannot be read`;
  const problem =
    writeAt(
      system,
      device,
      0,
      withIdentity(first, label ?? '', system.randomBytes(16), system.randomBytes(16)),
    ) ?? (await flush(system, device));
  if (problem !== undefined) return problem;
  const grown = await run(system, [RESIZE, device]);
  return grown.code === 0 ? undefined : `${device} cannot be filled: ${grown.says}`;
}

function firstBytes(system: System, image: string): Uint8Array | undefined {
  // zstd ends by SIGPIPE once the first blocks are read.
  const ends = system.pipe();
  const pid = system.spawn([ZSTD, '-dqc', image], { stdout: ends.write, stderr: 2 });
  system.close(ends.write);
  if (pid < 0) {
    system.close(ends.read);
    return undefined;
  }
  const bytes = new Uint8Array(HELD_BACK);
  let length = 0;
  while (length < HELD_BACK) {
    const chunk = system.read(ends.read, HELD_BACK - length);
    if (!(chunk instanceof Uint8Array) || chunk.length === 0) break;
    bytes.set(chunk, length);
    length += chunk.length;
  }
  system.close(ends.read);
  return length === HELD_BACK ? bytes : undefined;
}

function makerOf(system: System, type: string): string {
  const found = ['/usr/sbin', '/usr/bin'].map((directory) => `${directory}/mkfs.${type}`);
  return found.find((path) => system.status(path) !== undefined) ?? found[0]!;
}
